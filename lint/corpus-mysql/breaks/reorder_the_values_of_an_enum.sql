ALTER TABLE orders MODIFY state enum('sent', 'open') NOT NULL DEFAULT 'open';

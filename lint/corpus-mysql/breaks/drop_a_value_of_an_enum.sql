ALTER TABLE orders MODIFY state enum('open') NOT NULL DEFAULT 'open';

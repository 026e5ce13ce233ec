ALTER TABLE orders MODIFY COLUMN state enum('open', 'sent', 'paid') NOT NULL DEFAULT 'open', ALGORITHM=INSTANT;

ALTER TABLE orders ADD COLUMN labels text[] NOT NULL DEFAULT '{}';

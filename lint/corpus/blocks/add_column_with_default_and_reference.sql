ALTER TABLE orders ADD COLUMN region int DEFAULT 1 REFERENCES regions (id);

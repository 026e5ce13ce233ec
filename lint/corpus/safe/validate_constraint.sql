ALTER TABLE orders VALIDATE CONSTRAINT total_is_positive;

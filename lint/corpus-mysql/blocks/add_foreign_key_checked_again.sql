SET foreign_key_checks = 0;
SET foreign_key_checks = 1;
ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE SET NULL;

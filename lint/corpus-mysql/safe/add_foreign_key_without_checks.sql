SET SESSION foreign_key_checks = OFF;
ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers (id), ALGORITHM=INPLACE;
SET foreign_key_checks = 1;

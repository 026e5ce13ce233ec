/*!99999 SET foreign_key_checks = 0 */;
ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers (id);

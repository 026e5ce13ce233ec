ALTER TABLE orders RENAME INDEX orders_by_customer TO by_customer;

ALTER TABLE orders DROP INDEX orders_by_customer;

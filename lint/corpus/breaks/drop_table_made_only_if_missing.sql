CREATE TABLE IF NOT EXISTS customers (id bigint);
DROP TABLE customers;

CREATE TABLE orders_new LIKE orders;
INSERT INTO orders_new SELECT * FROM orders;

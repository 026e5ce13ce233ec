-- The database that the files of this folder are for. Large: orders, customers, events. Small: settings, regions.
CREATE DATABASE archive;
CREATE TABLE customers (id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, email varchar(100), about text);
CREATE TABLE regions (id bigint unsigned NOT NULL PRIMARY KEY);
CREATE TABLE settings (name varchar(40) NOT NULL PRIMARY KEY, value text);
CREATE TABLE orders (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  sku varchar(40) NOT NULL,
  quantity int NOT NULL DEFAULT 1,
  note varchar(40),
  total decimal(10, 2),
  state enum('open', 'sent') NOT NULL DEFAULT 'open',
  email varchar(100),
  customer_id bigint unsigned,
  UNIQUE KEY orders_sku (sku),
  KEY orders_by_customer (customer_id)
) CHARACTER SET utf8mb4;
CREATE TABLE events (at datetime NOT NULL, about text) PARTITION BY RANGE (YEAR(at)) (
  PARTITION before_2026 VALUES LESS THAN (2026),
  PARTITION of_2026 VALUES LESS THAN (2027)
);
CREATE VIEW recent_orders AS SELECT id, sku, quantity FROM orders ORDER BY id DESC LIMIT 100;
CREATE PROCEDURE tidy() DELETE FROM events WHERE at < '2020-01-01';
CREATE FUNCTION order_total(wanted bigint unsigned) RETURNS decimal(10, 2) READS SQL DATA
  RETURN (SELECT total FROM orders WHERE id = wanted);
CREATE TRIGGER orders_note BEFORE INSERT ON orders FOR EACH ROW SET NEW.note = COALESCE(NEW.note, '');
CREATE USER 'shop'@'%' IDENTIFIED BY 'secret';
CREATE USER 'reports'@'%';
GRANT SELECT ON orders TO 'shop'@'%';

INSERT INTO settings VALUES ('one', '1'), ('two', '2');
INSERT INTO customers (email) VALUES ('a@example.com'), ('b@example.com'), ('c@example.com');
INSERT INTO orders (sku, email, customer_id) VALUES ('a', 'a@example.com', 1), ('b', 'b@example.com', 2), ('c', 'c@example.com', 3);
INSERT INTO events VALUES ('2026-01-01', 'x');

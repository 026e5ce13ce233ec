DROP VIEW IF EXISTS recent_orders;
CREATE VIEW recent_orders AS SELECT id, sku, quantity FROM orders;

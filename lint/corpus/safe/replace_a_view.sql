CREATE OR REPLACE VIEW recent_orders AS SELECT id, sku, quantity, note FROM orders ORDER BY id DESC LIMIT 100;

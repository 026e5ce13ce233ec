INSERT INTO settings (name, value) SELECT sku, note FROM orders;

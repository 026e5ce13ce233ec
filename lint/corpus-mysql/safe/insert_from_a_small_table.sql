INSERT IGNORE INTO orders (sku) SELECT name FROM settings;

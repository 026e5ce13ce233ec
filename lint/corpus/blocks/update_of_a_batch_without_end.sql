UPDATE orders SET note = '' WHERE id IN (SELECT id FROM orders WHERE quantity = 1 LIMIT 50000000);

UPDATE orders SET note = '' WHERE quantity = 1 LIMIT 50000000;

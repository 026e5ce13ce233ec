SELECT id FROM orders WHERE quantity = 1 FOR UPDATE;

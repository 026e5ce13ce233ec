(SELECT id FROM orders WHERE quantity = 1 LOCK IN SHARE MODE);

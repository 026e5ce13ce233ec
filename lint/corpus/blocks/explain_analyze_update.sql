EXPLAIN (ANALYZE, BUFFERS) UPDATE orders SET note = '' WHERE quantity = 1;

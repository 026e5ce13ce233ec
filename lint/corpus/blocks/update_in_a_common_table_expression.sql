WITH touched AS (UPDATE orders SET note = '' WHERE quantity = 1 RETURNING id)
INSERT INTO settings (key, value) SELECT 'touched', count(*)::text FROM touched;

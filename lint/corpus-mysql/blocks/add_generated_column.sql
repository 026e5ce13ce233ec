ALTER TABLE orders ADD COLUMN cents bigint AS (total * 100) STORED;

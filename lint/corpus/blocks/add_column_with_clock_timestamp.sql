ALTER TABLE orders ADD COLUMN seen timestamptz DEFAULT clock_timestamp();

ALTER TABLE orders ADD COLUMN seen timestamptz NOT NULL DEFAULT now();

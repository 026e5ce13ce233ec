ALTER TABLE orders ADD COLUMN tags jsonb NOT NULL DEFAULT '{}'::jsonb;

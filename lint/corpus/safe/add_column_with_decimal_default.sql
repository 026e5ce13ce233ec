ALTER TABLE orders ADD COLUMN discount numeric NOT NULL DEFAULT -0.5;

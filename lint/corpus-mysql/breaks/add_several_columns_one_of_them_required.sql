ALTER TABLE orders ADD COLUMN (weight int, height int NOT NULL), ALGORITHM=INSTANT;

ALTER TABLE orders ALTER COLUMN note TYPE int USING note::int;

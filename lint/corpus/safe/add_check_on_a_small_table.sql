ALTER TABLE settings ADD CONSTRAINT value_is_short CHECK (length(value) < 1000);

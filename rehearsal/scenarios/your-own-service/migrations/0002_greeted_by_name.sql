-- Version 1 still serves while this is applied: the column must be one that it can ignore.
ALTER TABLE greetings ADD COLUMN name TEXT;

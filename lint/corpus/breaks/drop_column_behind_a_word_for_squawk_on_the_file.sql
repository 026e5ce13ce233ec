-- squawk-ignore-file
ALTER TABLE orders DROP COLUMN note;

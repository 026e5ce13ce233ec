ALTER TABLE orders ADD COLUMN remark text;
UPDATE settings SET value = 'x' WHERE key = 'y';
ALTER TABLE orders DROP COLUMN note;

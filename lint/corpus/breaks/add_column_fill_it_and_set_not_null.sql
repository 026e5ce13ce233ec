ALTER TABLE settings ADD COLUMN kind text;
UPDATE settings SET kind = 'text';
ALTER TABLE settings ALTER COLUMN kind SET NOT NULL;

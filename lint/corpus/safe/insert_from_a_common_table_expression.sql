WITH known AS (SELECT key FROM settings WHERE value LIKE 'DELETE%')
INSERT INTO regions SELECT length(key) FROM known;

SELECT 'a;
DROP TABLE settings;

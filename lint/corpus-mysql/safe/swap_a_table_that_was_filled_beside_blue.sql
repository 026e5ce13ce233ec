CREATE TABLE settings_new LIKE settings;
RENAME TABLE settings TO settings_old, settings_new TO settings;

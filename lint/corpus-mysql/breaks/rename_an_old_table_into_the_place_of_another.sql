RENAME TABLE settings TO settings_old, regions TO settings;

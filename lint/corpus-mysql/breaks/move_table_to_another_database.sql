RENAME TABLE settings TO archive.settings;

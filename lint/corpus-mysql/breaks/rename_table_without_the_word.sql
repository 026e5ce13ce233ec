ALTER TABLE settings RENAME AS options;

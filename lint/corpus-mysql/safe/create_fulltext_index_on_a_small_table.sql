CREATE FULLTEXT INDEX settings_value ON settings (value);

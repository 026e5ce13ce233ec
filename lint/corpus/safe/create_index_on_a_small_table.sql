CREATE INDEX settings_by_value ON settings (value);

ALTER TABLE settings ADD CONSTRAINT settings_value_key UNIQUE (value);

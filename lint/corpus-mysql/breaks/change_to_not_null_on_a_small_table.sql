ALTER TABLE settings CHANGE value value text NOT NULL;

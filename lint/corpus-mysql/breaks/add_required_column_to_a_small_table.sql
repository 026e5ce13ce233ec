ALTER TABLE settings ADD owner varchar(40) NOT NULL COMMENT 'never DEFAULT 1';

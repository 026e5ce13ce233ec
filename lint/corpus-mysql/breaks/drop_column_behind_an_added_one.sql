ALTER TABLE orders ADD COLUMN remark varchar(40) DEFAULT 'a, DROP b', DROP note;

USE archive;
CREATE TABLE settings (id int PRIMARY KEY);
ALTER TABLE archive.settings DROP PRIMARY KEY;
DROP TABLE settings;

USE archive;
CREATE TABLE settings (id int PRIMARY KEY);
DROP TABLE shop.settings;

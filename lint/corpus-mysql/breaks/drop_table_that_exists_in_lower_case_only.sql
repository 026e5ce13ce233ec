CREATE TABLE Settings (id int PRIMARY KEY);
DROP TABLE settings;

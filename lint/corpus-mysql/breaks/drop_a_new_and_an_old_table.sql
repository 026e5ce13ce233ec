CREATE TABLE drafts (id int PRIMARY KEY);
DROP TABLE drafts, settings;

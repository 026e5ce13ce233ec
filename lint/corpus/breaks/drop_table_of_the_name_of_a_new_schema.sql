CREATE SCHEMA regions;
DROP TABLE regions;

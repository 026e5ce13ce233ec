/*!40000 SELECT 1; DROP TABLE settings */;

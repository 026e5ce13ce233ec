/*!99999 INSERT INTO settings VALUES ('a', */ DROP TABLE settings /*!99999 ) */;

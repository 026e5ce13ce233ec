-- What is new, and what blue does not notice: each statement commits by itself in MariaDB.
CREATE TABLE languages (code CHAR(2) PRIMARY KEY, greeting VARCHAR(40) NOT NULL) ENGINE = InnoDB;
INSERT INTO languages VALUES ('en', 'Hello'), ('de', 'Guten Tag');
ALTER TABLE greetings ADD COLUMN language CHAR(2) NOT NULL DEFAULT 'en', ALGORITHM = INSTANT;

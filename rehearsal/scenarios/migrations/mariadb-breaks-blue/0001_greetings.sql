CREATE TABLE greetings (id BIGINT PRIMARY KEY AUTO_INCREMENT, greeted VARCHAR(40) NOT NULL) ENGINE = InnoDB;
INSERT INTO greetings (greeted) VALUES ('Ada'), ('Grace'), ('Lin; or so');

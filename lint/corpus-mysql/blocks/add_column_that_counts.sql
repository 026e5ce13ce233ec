ALTER TABLE events ADD COLUMN number bigint unsigned NOT NULL AUTO_INCREMENT, ADD KEY (number);

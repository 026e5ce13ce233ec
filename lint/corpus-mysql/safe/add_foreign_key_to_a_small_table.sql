ALTER TABLE settings ADD region bigint unsigned;
ALTER TABLE settings ADD CONSTRAINT of_region FOREIGN KEY (region) REFERENCES regions (id);

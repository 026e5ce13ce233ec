ALTER TABLE orders MODIFY id varchar(36) NOT NULL;

ALTER TABLE orders MODIFY id bigint(20) unsigned NOT NULL AUTO_INCREMENT COMMENT 'number';

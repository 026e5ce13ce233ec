ALTER TABLE orders MODIFY id bigint unsigned NOT NULL;

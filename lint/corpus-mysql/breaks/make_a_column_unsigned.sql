ALTER TABLE orders MODIFY quantity int unsigned NOT NULL DEFAULT 1;

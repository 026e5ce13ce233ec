ALTER TABLE orders MODIFY quantity bigint NOT NULL DEFAULT 1;

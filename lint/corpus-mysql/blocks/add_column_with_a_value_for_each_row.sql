ALTER TABLE orders ADD COLUMN token varchar(36) DEFAULT (uuid());

ALTER TABLE orders DROP CONSTRAINT orders_sku_key;

DROP INDEX orders_sku ON orders;

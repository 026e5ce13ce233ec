ALTER TABLE orders MODIFY sku varchar(40);

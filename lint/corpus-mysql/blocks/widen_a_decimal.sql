ALTER TABLE orders MODIFY total decimal(12, 2);

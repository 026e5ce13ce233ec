ALTER TABLE orders ORDER BY sku, note;

ALTER TABLE orders MODIFY note varchar(40) AS (CONCAT(sku, '')) VIRTUAL;

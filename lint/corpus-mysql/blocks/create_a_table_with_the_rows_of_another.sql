CREATE TABLE totals AS SELECT sku, SUM(total) AS total FROM orders GROUP BY sku;

WITH first AS (SELECT 1 AS id) DELETE FROM customers WHERE id NOT IN (SELECT id FROM first);

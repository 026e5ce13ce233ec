CREATE FUNCTION order_total(text) RETURNS numeric LANGUAGE sql AS $$ SELECT total FROM orders WHERE sku = $1 $$;
DROP FUNCTION order_total(bigint);

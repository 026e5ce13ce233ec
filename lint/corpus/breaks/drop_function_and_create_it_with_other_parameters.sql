DROP FUNCTION order_total(bigint);
CREATE FUNCTION order_total(id bigint, currency text) RETURNS numeric LANGUAGE sql AS $$ SELECT total FROM orders $$;

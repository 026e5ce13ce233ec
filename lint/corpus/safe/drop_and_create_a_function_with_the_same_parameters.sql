DROP FUNCTION order_total(bigint);
CREATE FUNCTION public.order_total(order_id int8 DEFAULT 1) RETURNS bigint LANGUAGE sql AS $$ SELECT 1::bigint $$;

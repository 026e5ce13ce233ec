CREATE OR REPLACE FUNCTION order_total(bigint) RETURNS numeric LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;

CREATE SCHEMA internal;
REVOKE ALL ON SCHEMA internal FROM PUBLIC;
CREATE FUNCTION internal.half(n numeric) RETURNS numeric LANGUAGE sql AS $$ SELECT n / 2 $$;
REVOKE EXECUTE ON FUNCTION internal.half(numeric) FROM PUBLIC;

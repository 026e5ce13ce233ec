DO $$
DECLARE regions bigint;
BEGIN
  SELECT count(*) INTO regions FROM orders;
  DROP TABLE IF EXISTS regions;
END $$;

DO $$
DECLARE found bigint;
BEGIN
  SELECT count(*) INTO found FROM information_schema.columns WHERE table_name = 'orders' AND column_name = 'remark';
  IF found = 0 THEN
    ALTER TABLE orders ADD COLUMN remark text;
  END IF;
END $$;

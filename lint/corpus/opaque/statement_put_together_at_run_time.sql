DO $$
DECLARE t text;
BEGIN
  FOR t IN SELECT tablename FROM pg_tables LOOP
    EXECUTE format('ALTER TABLE %I DROP COLUMN note', t);
  END LOOP;
END $$;

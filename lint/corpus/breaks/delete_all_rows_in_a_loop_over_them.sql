DO $$
DECLARE gone record;
BEGIN
  FOR gone IN DELETE FROM settings RETURNING key LOOP
    RAISE NOTICE '%', gone.key;
  END LOOP;
END $$;

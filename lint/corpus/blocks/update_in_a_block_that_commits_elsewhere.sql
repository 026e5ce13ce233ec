-- no-transaction
DO $$
BEGIN
  INSERT INTO settings (key, value) VALUES ('filled', 'soon');
  COMMIT;
  UPDATE orders SET note = '' WHERE quantity = 1;
END $$;

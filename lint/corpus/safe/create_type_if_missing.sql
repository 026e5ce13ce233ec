DO $$ BEGIN
  CREATE TYPE invoice_state AS ENUM ('open', 'paid');
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;

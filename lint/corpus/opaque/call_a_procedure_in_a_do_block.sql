DO $$ BEGIN CALL tidy_up(); END $$;

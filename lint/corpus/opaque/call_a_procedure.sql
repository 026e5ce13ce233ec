CALL tidy_up();

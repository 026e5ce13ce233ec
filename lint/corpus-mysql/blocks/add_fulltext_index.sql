ALTER TABLE orders ADD FULLTEXT INDEX orders_note (note);

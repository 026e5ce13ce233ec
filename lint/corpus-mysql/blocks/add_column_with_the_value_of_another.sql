ALTER TABLE orders ADD COLUMN contact varchar(100) DEFAULT email;

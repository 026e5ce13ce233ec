ALTER TABLE orders MODIFY note varchar(80);

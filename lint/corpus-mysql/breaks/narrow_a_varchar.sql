ALTER TABLE orders MODIFY note varchar(20);

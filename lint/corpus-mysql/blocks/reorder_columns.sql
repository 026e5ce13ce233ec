ALTER TABLE orders MODIFY note varchar(40) AFTER id;

ALTER TABLE orders MODIFY note varchar(40) COLLATE utf8mb4_bin;

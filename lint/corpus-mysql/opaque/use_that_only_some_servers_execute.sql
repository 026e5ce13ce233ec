/*!99999 USE archive */;
CREATE TABLE orders (id int PRIMARY KEY);
DROP TABLE orders;

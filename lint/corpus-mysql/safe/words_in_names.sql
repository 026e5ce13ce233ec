CREATE TABLE `drop table orders;` (`delete from` int, `it's` int PRIMARY KEY);

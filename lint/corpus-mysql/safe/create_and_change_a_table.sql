CREATE TABLE invoices (id int, note text);
ALTER TABLE `invoices` MODIFY note varchar(10) NOT NULL, ADD PRIMARY KEY (id);
INSERT INTO invoices VALUES (1, 'a'), (2, 'b');
UPDATE invoices SET note = '';
DELETE FROM invoices;
RENAME TABLE invoices TO bills;
DROP TABLE bills;

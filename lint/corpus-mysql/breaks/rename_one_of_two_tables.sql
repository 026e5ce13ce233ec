CREATE TABLE invoices (id int PRIMARY KEY);
RENAME TABLE invoices TO bills, settings TO options;

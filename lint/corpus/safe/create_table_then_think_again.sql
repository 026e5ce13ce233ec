CREATE TABLE invoices (id bigint PRIMARY KEY, note text);
ALTER TABLE invoices RENAME COLUMN note TO remark;
ALTER TABLE invoices DROP COLUMN remark;
DROP TABLE invoices;

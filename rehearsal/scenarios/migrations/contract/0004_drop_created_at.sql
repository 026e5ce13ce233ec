-- The contract step: no version that may still run asks for the column.
alter table orders drop column created_at;

-- Version 2 keeps a note with an order. Version 1 does not know the column and need not.
alter table orders add column note text;

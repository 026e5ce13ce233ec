-- Version 1 asks for quantity, and serves everybody while this is applied.
alter table orders add column state text not null default 'placed';
alter table orders rename column quantity to amount;

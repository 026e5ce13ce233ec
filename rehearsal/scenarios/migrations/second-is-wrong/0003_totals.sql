create table order_totals (sku text primary key, total bigint not null);
-- Wrong: the column is called quantity.
insert into order_totals select sku, sum(amount) from orders group by sku;

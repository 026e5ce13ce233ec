-- no-transaction
create index concurrently if not exists orders_created_at on orders (created_at);

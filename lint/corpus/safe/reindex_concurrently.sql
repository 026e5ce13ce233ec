-- no-transaction
REINDEX INDEX CONCURRENTLY orders_by_time;

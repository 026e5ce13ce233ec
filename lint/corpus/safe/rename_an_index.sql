ALTER INDEX orders_by_time RENAME TO orders_by_day;

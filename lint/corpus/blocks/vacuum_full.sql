-- no-transaction
VACUUM FULL orders;

-- no-transaction
CREATE UNIQUE INDEX CONCURRENTLY customers_email ON customers (email);

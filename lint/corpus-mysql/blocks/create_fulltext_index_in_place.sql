CREATE FULLTEXT INDEX customers_about ON customers (about) ALGORITHM=INPLACE;

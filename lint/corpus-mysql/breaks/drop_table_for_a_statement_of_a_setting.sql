SET STATEMENT max_statement_time = 5 FOR DROP TABLE orders;

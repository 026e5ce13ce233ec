TRUNCATE TABLE customers;

CREATE OR REPLACE TABLE settings (name varchar(40) PRIMARY KEY);

ALTER TABLE customers ADD CONSTRAINT customers_email_key UNIQUE USING INDEX customers_email;

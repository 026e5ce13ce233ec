MERGE INTO orders USING customers ON orders.customer_id = customers.id
WHEN MATCHED THEN UPDATE SET email = customers.email;

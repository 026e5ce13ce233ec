UPDATE orders JOIN customers ON orders.customer_id = customers.id SET orders.email = customers.email WHERE customers.id > 0;

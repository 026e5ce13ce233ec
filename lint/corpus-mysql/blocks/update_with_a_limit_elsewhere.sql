UPDATE orders SET note = (SELECT about FROM customers ORDER BY id LIMIT 1) WHERE quantity = 1;

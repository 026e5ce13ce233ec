PREPARE fill (text) AS UPDATE orders SET note = $1 WHERE quantity = 1;

UPDATE orders SET note = 'over the limit' WHERE total > 0;

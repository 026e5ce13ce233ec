ALTER TABLE orders ADD COLUMN currency char(3), ALGORITHM=INSTANT;
UPDATE orders SET currency = 'EUR';

SELECT 'it\'s -- ', "a\\"; DROP TABLE orders; -- '

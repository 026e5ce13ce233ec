CREATE TABLE regions_by_code AS SELECT id, 'x' AS code FROM customers WHERE false;
UPDATE regions_by_code SET code = 'y';
DELETE FROM regions_by_code;

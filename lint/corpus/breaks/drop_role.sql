DROP ROLE shop;

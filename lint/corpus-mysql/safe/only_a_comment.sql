-- DROP TABLE orders;
# DROP TABLE orders;
/* DROP TABLE orders; */

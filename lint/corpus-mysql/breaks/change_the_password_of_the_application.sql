ALTER USER 'shop'@'%' IDENTIFIED BY 'another';

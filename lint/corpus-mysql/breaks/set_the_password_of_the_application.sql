SET PASSWORD FOR 'shop'@'%' = PASSWORD('another');

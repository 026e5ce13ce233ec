REVOKE SELECT ON orders FROM 'shop'@'%';

CREATE USER 'worker'@'%' IDENTIFIED BY 'secret';
GRANT SELECT ON orders TO 'worker'@'%';
DROP USER 'worker'@'%';

DROP USER 'reports'@'%';

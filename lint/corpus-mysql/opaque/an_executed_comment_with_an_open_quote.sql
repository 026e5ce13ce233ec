/*!99999 SELECT '*/; DROP TABLE settings; -- ' */;

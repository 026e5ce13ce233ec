ALTER TABLE settings MODIFY value longtext;

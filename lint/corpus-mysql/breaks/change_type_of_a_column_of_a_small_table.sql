ALTER TABLE settings MODIFY value json;

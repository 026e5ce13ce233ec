REPLACE INTO settings (name) SELECT c.email FROM regions r, customers c WHERE c.id = r.id;

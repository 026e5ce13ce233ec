CREATE UNIQUE INDEX by_email ON orders (email);

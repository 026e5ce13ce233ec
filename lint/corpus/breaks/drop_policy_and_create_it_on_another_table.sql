DROP POLICY own ON orders;
CREATE POLICY own ON customers USING (true);

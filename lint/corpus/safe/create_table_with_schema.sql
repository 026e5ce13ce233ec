CREATE SCHEMA billing;
CREATE TABLE billing.invoices (id bigint);
CREATE INDEX ON billing.invoices (id);
ALTER TABLE billing.invoices ALTER COLUMN id SET NOT NULL;

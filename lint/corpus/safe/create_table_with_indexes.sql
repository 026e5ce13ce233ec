CREATE TABLE invoices (id bigint PRIMARY KEY, at timestamptz NOT NULL);
CREATE INDEX invoices_by_time ON invoices (at);
ALTER TABLE invoices ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid();
ALTER TABLE invoices ADD CONSTRAINT invoices_token UNIQUE (token);

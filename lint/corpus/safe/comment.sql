COMMENT ON COLUMN orders.note IS 'what the customer wrote; DROP TABLE orders;';

INSERT INTO settings (name, value) VALUES ('select', 'it''s; DROP TABLE orders'), ("b\"", `value`);
INSERT INTO settings SET name = 'c' ON DUPLICATE KEY UPDATE value = 'd';
REPLACE settings VALUES ('e', 'f');

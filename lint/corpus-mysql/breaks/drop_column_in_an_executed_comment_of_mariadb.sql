ALTER TABLE orders ADD COLUMN remark int /*M!100500 , DROP COLUMN note */;

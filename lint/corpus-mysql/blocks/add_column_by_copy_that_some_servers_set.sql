/*!50700 SET old_alter_table = ON */;
ALTER TABLE orders ADD COLUMN weight int;

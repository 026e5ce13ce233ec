SET old_alter_table = 1;
ALTER TABLE orders ADD COLUMN weight int;

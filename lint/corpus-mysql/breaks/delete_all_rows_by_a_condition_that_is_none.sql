DELETE FROM settings WHERE 1 = 1 /* name = 'x' */;

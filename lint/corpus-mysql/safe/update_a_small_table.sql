UPDATE settings SET value = 'x';

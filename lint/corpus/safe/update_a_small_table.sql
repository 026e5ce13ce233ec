UPDATE settings SET value = lower(value);

SET sql_mode = CONCAT('ANSI', '_QUOTES');

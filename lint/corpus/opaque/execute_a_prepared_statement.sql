EXECUTE fill('');

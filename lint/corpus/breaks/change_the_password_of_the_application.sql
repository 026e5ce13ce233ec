ALTER ROLE shop PASSWORD 'another';

DO $$ plpy.execute('drop table orders') $$ LANGUAGE plpython3u;

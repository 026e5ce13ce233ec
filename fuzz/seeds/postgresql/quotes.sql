-- no-transaction
CREATE TABLE "a;b" (id int, note text DEFAULT 'it''s; E', x text DEFAULT E'\';');
/* a /* nested; */ comment */
DO $body$ BEGIN PERFORM 1; EXCEPTION WHEN others THEN NULL; END $body$;
create function f() returns int begin atomic select case when true then 1 end; select 2; end;
CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2);
ALTER ROLE app PASSWORD 'hunter2-hunter2';

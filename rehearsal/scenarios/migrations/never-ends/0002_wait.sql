-- What a backfill without an end looks like to everybody else.
select pg_sleep(3600);

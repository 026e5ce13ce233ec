WITH gone AS (DELETE FROM settings RETURNING *) INSERT INTO regions SELECT length(key) FROM gone;

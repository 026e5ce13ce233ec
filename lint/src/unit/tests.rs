#![allow(clippy::unwrap_used, reason = "a test may")]

use super::units;

fn told(sql: &str) -> Vec<String> {
    let told = |unit: super::Unit| match unit.opaque {
        Some(why) => format!("{}: {} ({why})", unit.line, unit.text),
        None => format!("{}: {}", unit.line, unit.text),
    };
    units(sql).map(told).collect()
}

#[test]
fn statements_are_told_with_their_lines_and_without_comments() {
    let sql = "-- no-transaction\n/* a; */ create table a ();\n\n  drop -- not now\n table b;\n;";
    assert_eq!(told(sql), ["2: create table a ()", "4: drop           \n table b"]);
}

#[test]
fn a_do_block_is_unfolded() {
    let sql = "select 1;\ndo $$\nbegin\n  if not exists (select 1) then\n    alter table a add b int;\n  end if;\n  \
               execute 'drop table a';\n  raise notice 'x';\nexception when others then null;\nend $$;";
    assert_eq!(told(sql), ["1: select 1", "4: select 1", "5: alter table a add b int", "7: drop table a"]);
}

#[test]
fn what_is_put_together_at_run_time_is_opaque() {
    let sql = "do $$ begin execute format('drop table %I', 'a'); end $$;";
    assert_eq!(told(sql), ["1: execute format('drop table %I', 'a') (its SQL is put together when it runs)"]);
    let python = told("do $$ pass $$ language plpython3u;");
    assert_eq!(python.len(), 1);
    assert!(python[0].ends_with("(a DO block in another language than PL/pgSQL)"), "{python:?}");
}

#[test]
fn what_is_nested_too_deep_is_not_read() {
    let deep = format!("select 1;\nselect {}1{};", "(".repeat(20_000), ")".repeat(20_000));
    let last = &told(&deep)[1];
    assert!(last.starts_with("2: select ((") && last.ends_with("(it is nested too deep)"));
    let texts = format!("select '{}'", "(".repeat(20_000));
    assert_eq!(told(&texts).len(), 1);
    assert!(units(&texts).next().unwrap().opaque.is_none());
}

#[test]
fn a_loop_that_commits_runs_in_batches() {
    let sql = "do $$ begin loop update a set b = 1 where id in (select id from a limit 10); commit; end loop; end $$";
    assert!(units(sql).next().unwrap().in_batches);
}

/// The text of a block's statement, one for each of its forms.
#[test]
fn whatever_a_block_runs_is_judged() {
    let block = |body: &str| told(&format!("do $$ declare v int; r record; c refcursor; begin {body} end $$"));
    let cases = [
        ("call p();", "call p()"),
        ("perform f(1);", "select f(1)"),
        ("perform f(a) from t for update;", "select f(a) from t for update"),
        ("do $i$ begin drop table a; end $i$;", "drop table a"),
        ("for r in delete from a returning * loop end loop;", "delete from a returning *"),
        ("for r in execute 'delete from a' loop end loop;", "delete from a"),
        ("open c for execute 'drop table a';", "drop table a"),
        ("select b into v from a for update;", "select b        from a for update"),
        ("delete from a where b = 1 returning b into strict v;", "delete from a where b = 1 returning b"),
        ("execute 'delete from a' into v;", "delete from a"),
        ("execute 'do $i$ begin drop table a; end $i$';", "drop table a"),
        ("execute 'drop table a; drop table b';", "drop table a"),
    ];
    for (body, unit) in cases {
        assert_eq!(block(body)[0], format!("1: {unit}"), "{body}");
    }
    assert_eq!(block("execute 'drop table a; drop table b';").len(), 2);
    assert_eq!(block("for r in execute q loop end loop;").len(), 1);
    assert!(block("for r in execute q loop end loop;")[0].ends_with("(its SQL is put together when it runs)"));
}

#[test]
fn what_a_statement_does_besides_is_told_before_it() {
    let sql = "with\n  a as (delete from b returning *),\n  c as (select 1)\ninsert into d select * from a";
    assert_eq!(told(sql)[..1], ["2: delete from b returning *"]);
    assert_eq!(told(sql).len(), 2);
    assert_eq!(told("explain delete from a").len(), 1);
    assert_eq!(told("explain (analyze false) delete from a").len(), 1);
    assert_eq!(told("explain (analyze, costs off) delete from a")[0], "1: delete from a");
    let function = "create function f() returns void language sql begin atomic delete from a; end";
    assert_eq!(told(function).len(), 1, "nothing is run yet");
}

#[test]
fn rows_that_are_added_are_not_even_read() {
    assert_eq!(told("insert into a values (1); select 1; INSERT INTO a SELECT * FROM b"), ["1: select 1"]);
    let seed = format!("insert into a values (0){}", ", (1, 'with all')".repeat(100_000));
    assert_eq!(told(&seed).len(), 0);
    assert_eq!(told(&seed.replace("(0)", "(0), (with)")).len(), 1);
}

#[test]
fn a_statement_too_long_for_the_memory_of_a_function_is_not_read() {
    let sql = format!("select 1;\nupdate a set b = 1 where c in (1{})", ", 1".repeat(100_000));
    let last = &told(&sql)[1];
    assert!(last.starts_with("2: update a") && last.ends_with("(it has more than 64 KiB)"), "{}", &last[..40]);
}

#[test]
fn blocks_within_blocks_are_read_to_an_end() {
    let mut sql = "drop table a;".to_owned();
    for depth in 0..100 {
        sql = format!("do $d{depth}$ begin {sql} end $d{depth}$;");
    }
    assert!(told(&sql)[0].ends_with("(its blocks are nested too deep)"));
}

#[test]
fn a_quote_that_is_never_closed_is_opaque() {
    assert_eq!(told("select 1;\nselect 'a"), ["1: select 1", "2: a quoted text (it is opened here and never closed)"]);
}

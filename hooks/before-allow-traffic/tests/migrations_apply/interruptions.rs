//! Killed functions, lost connections, no time left.

use std::time::Duration;

use greenlight::check::{Answer, Check};

use crate::world::{Gate, World, chain, run, until};

/// Our own connections.
const GREENLIGHT: &str =
    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'greenlight%'";

/// As a restart of the server would.
const END_GREENLIGHT: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
     WHERE datname = current_database() AND application_name LIKE 'greenlight%'";

const GATE: &str = "SELECT pg_advisory_xact_lock(7);\n";

/// Statements that would show if they ran twice or not at all.
const STATEMENTS: [&str; 6] = [
    "CREATE TABLE orders (id int, total int);\n",
    "INSERT INTO orders SELECT i, i FROM generate_series(1, 1000) i;\n",
    "CREATE INDEX CONCURRENTLY by_total ON orders (total);\n",
    "UPDATE orders SET total = total + 1;\n",
    "BEGIN; INSERT INTO orders VALUES (0, 0); UPDATE orders SET total = total * 2; COMMIT;\n",
    "DROP INDEX CONCURRENTLY by_total;\n",
];

/// What a database looks like from outside.
const STATE: &str = "SELECT count(*) || ' ' || sum(total) || ' ' || (SELECT count(*) FROM pg_index WHERE NOT indisvalid) \
     || ' ' || (SELECT count(*) FROM pg_class WHERE relname = 'by_total') || ' ' \
     || (SELECT string_agg(version || success::text, ',' ORDER BY version) FROM _sqlx_migrations) FROM orders";

/// Starts the check, and ends it without a word as soon as it stands before the gate.
async fn killed_at_the_gate(world: &World) {
    let gate = Gate::closed(world).await;
    let (check, context) = (world.check(), world.context.clone());
    let running = tokio::spawn(async move { check.ask(&context).await });
    world.reached_gate().await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    drop(gate);
}

fn patient(world: &mut World) {
    world.settings.lock_timeout = Duration::from_secs(20);
}

#[tokio::test]
async fn a_run_killed_in_a_transaction_leaves_nothing_and_the_next_one_applies_it() {
    let sql = format!("CREATE TABLE a (x int); INSERT INTO a VALUES (1); {GATE} INSERT INTO a VALUES (2);");
    let mut world = World::with(&[("1_a.sql", &sql), ("2_b.sql", "INSERT INTO a VALUES (3);")]).await;
    patient(&mut world);
    killed_at_the_gate(&world).await;
    world.yes().await;
    assert_eq!(world.rows("SELECT x FROM a ORDER BY x").await, ["1", "2", "3"]);
}

/// Killed before every statement of a file without a transaction, and after the last one.
#[tokio::test]
async fn a_run_killed_between_any_two_steps_converges() {
    let undisturbed = World::with(&[("1_a.sql", &format!("-- no-transaction\n{}", STATEMENTS.concat()))]).await;
    undisturbed.yes().await;
    let expected = undisturbed.rows(STATE).await;
    assert_eq!(expected, ["1001 1003000 0 0 1true"]);
    for place in 0..=STATEMENTS.len() {
        let (before, after) = STATEMENTS.split_at(place);
        let sql = format!("-- no-transaction\n{}{GATE}{}", before.concat(), after.concat());
        let mut world = World::with(&[("1_a.sql", &sql)]).await;
        patient(&mut world);
        killed_at_the_gate(&world).await;
        world.yes().await;
        assert_eq!(world.rows(STATE).await, expected, "killed before statement {place}");
    }
}

/// The server, not the function, ends the connection in the middle of a file.
#[tokio::test]
async fn a_lost_connection_is_no_answer_and_the_next_attempt_goes_on() {
    for marker in ["", "-- no-transaction\n"] {
        let sql =
            format!("{marker}CREATE TABLE a (x int);\nINSERT INTO a VALUES (1);\n{GATE}INSERT INTO a VALUES (2);");
        let mut world = World::with(&[("1_a.sql", &sql)]).await;
        patient(&mut world);
        let gate = Gate::closed(&world).await;
        let (check, context) = (world.check(), world.context.clone());
        let running = tokio::spawn(async move { check.ask(&context).await });
        world.reached_gate().await;
        world.run(END_GREENLIGHT).await;
        let unknown = running.await.unwrap().unwrap_err();
        assert!(unknown.transient);
        let said = chain(&unknown);
        assert!(said.contains("1_a.sql line") && said.contains("its ledger tells what was done"), "{said}");
        assert!(said.contains("traffic stays on blue"), "{said}");
        drop(gate);
        world.yes().await;
        assert_eq!(world.rows("SELECT x FROM a ORDER BY x").await, ["1", "2"]);
    }
}

/// Nobody hears whether the COMMIT went through: only the ledger knows.
#[tokio::test]
async fn a_run_killed_while_it_commits_is_applied_once() {
    const SLOW_COMMIT: &str = "CREATE TABLE a (x int);
        CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER t AFTER INSERT ON a DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait();";
    for (marker, ended) in [("", true), ("", false), ("-- no-transaction\n", true), ("-- no-transaction\n", false)] {
        let insert = format!("{marker}INSERT INTO a SELECT coalesce(max(x), 0) + 1 FROM a;");
        let mut world = World::with(&[("1_a.sql", SLOW_COMMIT), ("2_b.sql", &insert)]).await;
        patient(&mut world);
        let gate = Gate::closed(&world).await;
        let (check, context) = (world.check(), world.context.clone());
        let running = tokio::spawn(async move { check.ask(&context).await });
        world.reached_gate().await;
        if ended {
            world.run(END_GREENLIGHT).await;
            assert!(running.await.unwrap().unwrap_err().transient);
        } else {
            running.abort();
        }
        drop(gate);
        world.yes().await;
        assert_eq!(world.rows("SELECT x FROM a").await, ["1"], "{marker} ended by the server: {ended}");
    }
}

/// The server notices that nobody listens any more, and leaves half an index.
#[tokio::test]
async fn a_run_killed_while_it_builds_an_index_builds_it_anew() {
    let sql = "-- no-transaction\nCREATE INDEX CONCURRENTLY by_total ON orders (total);";
    let world = World::with(&[("1_a.sql", sql)]).await;
    world.run("CREATE TABLE orders (total int)").await;
    let mut report = world.connect().await;
    run(&mut report, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM orders").await;
    let (check, context) = (world.check(), world.context.clone());
    let running = tokio::spawn(async move { check.ask(&context).await });
    let invalid = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('by_total')";
    until(async || (world.rows(invalid).await == ["false"]).then_some(())).await;
    running.abort();
    until(async || world.rows(GREENLIGHT).await.is_empty().then_some(())).await;
    assert_eq!(world.rows(invalid).await, ["false"]);
    run(&mut report, "COMMIT").await;
    world.yes().await;
    assert_eq!(world.rows(invalid).await, ["true"]);
}

/// A killed function's last statement may still come to its end: then it is not to be done again.
#[tokio::test]
async fn a_step_that_the_server_ended_without_us_is_done() {
    for step in [
        "CREATE INDEX CONCURRENTLY fresh ON orders (total);",
        "DROP INDEX CONCURRENTLY stale;",
        "SET maintenance_work_mem = '8MB';\nCREATE INDEX CONCURRENTLY fresh ON orders (total);",
    ] {
        let world = World::with(&[("1_a.sql", &format!("-- no-transaction\n{step}"))]).await;
        world.run("CREATE TABLE orders (total int); CREATE INDEX stale ON orders (total)").await;
        let mut report = world.connect().await;
        run(&mut report, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM orders").await;
        let (check, context) = (world.check(), world.context.clone());
        let running = tokio::spawn(async move { check.ask(&context).await });
        let waits = format!("{GREENLIGHT} AND wait_event_type = 'Lock'");
        until(async || (!world.rows(&waits).await.is_empty()).then_some(())).await;
        running.abort();
        run(&mut report, "COMMIT").await;
        world.yes().await;
        assert_eq!(world.rows("SELECT success FROM _sqlx_migrations").await, ["true"], "{step}");
    }
}

/// A build that broke leaves an invalid index, which `IF NOT EXISTS` takes for the real one.
#[tokio::test]
async fn an_invalid_index_of_a_broken_build_is_replaced() {
    let world = World::with(&[(
        "1_a.sql",
        "-- no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS one ON orders (total);",
    )])
    .await;
    world.run("CREATE TABLE orders (total int); INSERT INTO orders VALUES (1), (1)").await;
    let broken = sqlx::query("CREATE UNIQUE INDEX CONCURRENTLY one ON orders (total)");
    assert!(broken.execute(&mut world.connect().await).await.is_err());
    world.run("DELETE FROM orders WHERE ctid = (SELECT min(ctid) FROM orders)").await;
    let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'one'::regclass";
    assert_eq!(world.rows(valid).await, ["false"]);
    world.yes().await;
    assert_eq!(world.rows(valid).await, ["true"]);
}

/// Left behind, it would cost blue's writes, and a unique one would even refuse them.
#[tokio::test]
async fn an_index_that_cannot_be_built_is_not_left_behind() {
    let world =
        World::with(&[("1_a.sql", "-- no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY one ON orders (total);")]).await;
    world.run("CREATE TABLE orders (total int); INSERT INTO orders VALUES (1), (1)").await;
    let (evidence, remedy) = world.no().await;
    assert!(
        evidence.contains("could not create unique index \"one\" (SQLSTATE 23505); none of the file's steps was done"),
        "{evidence}"
    );
    assert!(remedy.starts_with("Clean the rows"), "{remedy}");
    assert_eq!(world.rows("SELECT to_regclass('one') IS NULL").await, ["true"]);
    assert_eq!(world.rows("SELECT count(*) FROM _sqlx_migrations").await, ["0"]);
}

#[tokio::test]
async fn an_invalid_index_of_somebody_else_is_named() {
    let world = World::with(&[("1_a.sql", "SELECT 1;")]).await;
    world.run("CREATE TABLE orders (total int); INSERT INTO orders VALUES (1), (1)").await;
    let broken = sqlx::query("CREATE UNIQUE INDEX CONCURRENTLY one ON orders (total)");
    assert!(broken.execute(&mut world.connect().await).await.is_err());
    let evidence = world.yes().await;
    assert!(
        evidence.ends_with("invalid, so of no use until built again or dropped: public.one on orders"),
        "{evidence}"
    );
}

#[tokio::test]
async fn a_file_is_not_begun_when_the_time_is_too_short() {
    let mut world = World::with(&[("1_a.sql", "CREATE TABLE a ();")]).await;
    world.set_time_left(Duration::from_secs(4));
    let (evidence, _) = world.no().await;
    assert!(evidence.contains("s were left, too few to begin 1_a.sql"), "{evidence}");
    assert_eq!(world.rows("SELECT to_regclass('a') IS NULL").await, ["true"]);
}

/// The server ends the statement itself, before Lambda ends the function.
#[tokio::test]
async fn a_statement_that_takes_too_long_is_ended_by_the_server() {
    let mut world = World::with(&[("1_a.sql", "CREATE TABLE a (); SELECT pg_sleep(60);")]).await;
    world.set_time_left(Duration::from_secs(8));
    let Answer::No { evidence, remedy } = world.ask().await.unwrap() else { panic!("it takes a minute") };
    assert!(
        evidence.contains("canceling statement due to statement timeout (SQLSTATE 57014); the file was undone whole"),
        "{evidence}"
    );
    assert!(remedy.contains("smaller steps"), "{remedy}");
}

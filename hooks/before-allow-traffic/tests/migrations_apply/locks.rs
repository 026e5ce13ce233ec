//! Others who use the same database at the same time.

use std::time::{Duration, Instant};

use greenlight::check::Answer;
use sqlx::migrate::Migrate;

use crate::world::{Gate, World, run, until};

/// sqlx's own lock, taken by sqlx's own code: proves the key as well.
#[tokio::test]
async fn whoever_holds_the_migration_lock_is_named() {
    let world = World::with(&[("1_a.sql", "CREATE TABLE a ();")]).await;
    let mut other = world.connect().await;
    other.lock().await.unwrap();
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut other).await.unwrap();
    let Answer::NotYet { evidence, remedy, .. } = world.ask().await.unwrap() else { panic!("the lock is held") };
    let expected = format!(" is held by pid {pid} (a test, from 127.0.0.1, connected since ");
    assert!(evidence.contains(&expected), "{evidence}");
    assert!(remedy.contains(&format!("pg_terminate_backend({pid})")), "{remedy}");
    assert_eq!(world.rows("SELECT to_regclass('a') IS NULL").await, ["true"]);

    other.unlock().await.unwrap();
    world.yes().await;
}

/// Two deliveries of one event. With a blocking lock, a concurrent index build and the waiter would deadlock.
#[tokio::test]
async fn two_at_once_apply_everything_once() {
    let world = World::with(&[
        (
            "1_orders.sql",
            "CREATE TABLE orders (id int, total int); INSERT INTO orders SELECT i, i FROM generate_series(1, 20000) i;",
        ),
        ("2_index.sql", "-- no-transaction\nCREATE INDEX CONCURRENTLY by_total ON orders (total);"),
        ("3_count.sql", "UPDATE orders SET total = total + 1;"),
    ])
    .await;
    let (one, two, three) = tokio::join!(world.yes(), world.yes(), world.yes());
    assert_eq!(one, two);
    assert_eq!(two, three);
    assert_eq!(world.rows("SELECT sum(total - id) FROM orders").await, ["20000"]);
}

#[tokio::test]
async fn blue_waits_no_longer_than_the_lock_timeout() {
    let world = World::with(&[("1_a.sql", "ALTER TABLE orders ADD COLUMN total bigint;")]).await;
    world.run("CREATE TABLE orders (id bigint)").await;
    let mut report = world.connect().await;
    run(&mut report, "BEGIN; SELECT * FROM orders").await;

    let Answer::NotYet { evidence, remedy, .. } = world.ask().await.unwrap() else { panic!("a reader is in the way") };
    assert!(evidence.contains("1_a.sql line 1 (ALTER TABLE orders ADD COLUMN total bigint): canceling statement due to lock timeout (SQLSTATE 55P03); the file was undone whole; probably in the way: the transaction of pid "), "{evidence}");
    assert!(evidence.ends_with("none of 1 files is applied; traffic stays on blue"), "{evidence}");
    assert!(remedy.contains("End the transaction"), "{remedy}");

    run(&mut report, "COMMIT").await;
    world.yes().await;
}

/// While a migration waits behind a long report of blue's, blue's other queries wait behind the migration: for no longer than
/// the lock timeout, however often it is tried again, and in between they pass.
#[tokio::test]
async fn blues_queries_wait_no_longer_than_the_migration_may() {
    const LOCK_TIMEOUT: Duration = Duration::from_millis(400);
    let mut world = World::with(&[("1_a.sql", "ALTER TABLE orders ADD COLUMN total bigint;")]).await;
    world.settings.lock_timeout = LOCK_TIMEOUT;
    world.run("CREATE TABLE orders (id bigint)").await;
    let mut report = world.connect().await;
    run(&mut report, "BEGIN; SELECT * FROM orders").await;

    let (migrating, mut blue) = (tokio::spawn(settled(&world)), world.connect().await);
    let mut waited = Vec::new();
    // Long enough for two tries.
    let ends = Instant::now() + Duration::from_secs(4);
    while Instant::now() < ends {
        let sent = Instant::now();
        run(&mut blue, "SELECT id FROM orders").await;
        waited.push(sent.elapsed());
    }
    run(&mut report, "COMMIT").await;
    assert!(matches!(migrating.await.unwrap(), Answer::Yes { .. }));
    assert_eq!(world.rows("SELECT count(total) FROM orders").await, ["0"], "the column is there");

    let behind: Vec<_> = waited.iter().filter(|wait| **wait > LOCK_TIMEOUT / 4).collect();
    assert!(behind.len() >= 2, "it was tried more than once, and blue waited behind it each time: {behind:?}");
    assert!(waited.len() > 100, "in between blue's queries pass: {}", waited.len());
    // What a busy machine adds is no wait for a lock.
    let longest = waited.iter().max().unwrap();
    assert!(*longest < LOCK_TIMEOUT * 2, "blue waited {longest:?} behind a migration that may wait {LOCK_TIMEOUT:?}");
}

/// The check, asked as the hook does.
fn settled(world: &World) -> impl Future<Output = Answer> + Send + 'static {
    let (check, context) = (world.check(), world.context.clone());
    async move {
        loop {
            match greenlight::check::Check::ask(&*check, &context).await {
                Ok(Answer::NotYet { again_in, .. }) => tokio::time::sleep(again_in).await,
                answer => return answer.unwrap(),
            }
        }
    }
}

#[tokio::test]
async fn patience_with_a_lock_has_an_end() {
    let world = World::with(&[("1_a.sql", "ALTER TABLE orders ADD COLUMN total bigint;")]).await;
    world.run("CREATE TABLE orders (id bigint)").await;
    let mut report = world.connect().await;
    run(&mut report, "BEGIN; SELECT * FROM orders").await;
    let (evidence, _) = world.no().await;
    assert!(evidence.contains("; tried 5 times"), "{evidence}");
}

/// A file that gives up all advisory locks would let a second migrator in.
#[tokio::test]
async fn a_lock_that_was_lost_on_the_way_is_noticed() {
    let world =
        World::with(&[("1_a.sql", "SELECT pg_advisory_unlock_all();"), ("2_b.sql", "CREATE TABLE b ();")]).await;
    let (evidence, _) = world.no().await;
    assert!(evidence.contains("was not kept by our connection"), "{evidence}");
    assert_eq!(world.rows("SELECT to_regclass('b') IS NULL").await, ["true"]);
}

/// While one hook works, the other says who works.
#[tokio::test]
async fn a_second_delivery_names_the_first_while_it_runs() {
    let mut world =
        World::with(&[("1_a.sql", "SET lock_timeout = '20s'; SELECT pg_advisory_xact_lock(7); CREATE TABLE a ();")])
            .await;
    world.settings.lock_timeout = std::time::Duration::from_secs(20);
    let gate = Gate::closed(&world).await;
    let (check, context) = (world.check(), world.context.clone());
    let first = tokio::spawn(async move { greenlight::check::Check::ask(&*check, &context).await });
    world.reached_gate().await;
    let Answer::NotYet { evidence, .. } = world.ask().await.unwrap() else { panic!("the first one works") };
    assert!(evidence.contains("(greenlight before-allow-traffic d-"), "{evidence}");
    drop(gate);
    assert!(matches!(first.await.unwrap().unwrap(), Answer::Yes { .. }));
    until(async || matches!(world.ask().await.unwrap(), Answer::Yes { .. }).then_some(())).await;
}

//! Others who use the same database at the same time.

use std::time::{Duration, Instant};

use before_allow_traffic::migrations::mysql::lock::name_for;
use greenlight::check::{Answer, Check};
use sqlx::migrate::Migrate;

use crate::world::{Gate, World, run, until};

/// Given back by sqlx's own code: proves the name as well. sqlx's own `lock` takes nothing from a MariaDB.
#[tokio::test]
async fn whoever_holds_the_migration_lock_is_named() {
    let world = World::with(&[("1_a.sql", "CREATE TABLE a (x int);")]).await;
    let mut other = world.connect().await;
    run(&mut other, &format!("DO GET_LOCK('{}', 0)", name_for(&world.database))).await;
    let id: i64 = sqlx::query_scalar("SELECT CAST(CONNECTION_ID() AS SIGNED)").fetch_one(&mut other).await.unwrap();
    let Answer::NotYet { evidence, remedy, .. } = world.ask().await.unwrap() else { panic!("the lock is held") };
    let expected = format!(" is held by session {id} (user migrator from 127.0.0.1:");
    assert!(evidence.contains(&expected) && evidence.contains(", idle for "), "{evidence}");
    assert!(remedy.contains(&format!("KILL {id};")), "{remedy}");
    assert_eq!(world.tables().await, Vec::<String>::new());

    other.unlock().await.unwrap();
    world.yes().await;
}

/// Two deliveries of one event.
#[tokio::test]
async fn two_at_once_apply_everything_once() {
    let world = World::with(&[
        (
            "1_orders.sql",
            "CREATE TABLE orders (id int, total int); INSERT INTO orders SELECT seq, seq FROM seq_1_to_20000;",
        ),
        ("2_index.sql", "CREATE INDEX by_total ON orders (total);"),
        ("3_count.sql", "SET @more = 1; UPDATE orders SET total = total + @more;"),
        ("4_note.sql", "ALTER TABLE orders ADD COLUMN note text;"),
    ])
    .await;
    let (one, two, three) = tokio::join!(world.yes(), world.yes(), world.yes());
    assert_eq!(one, two);
    assert_eq!(two, three);
    assert_eq!(world.rows("SELECT SUM(total - id) FROM orders").await, ["20000"]);
}

#[tokio::test]
async fn blue_waits_no_longer_than_the_lock_timeout() {
    let world = World::with(&[("1_a.sql", "ALTER TABLE orders ADD COLUMN total bigint;")]).await;
    world.run("CREATE TABLE orders (id bigint) ENGINE = InnoDB; INSERT INTO orders VALUES (1)").await;
    let mut report = world.connect().await;
    run(&mut report, "START TRANSACTION; SELECT * FROM orders").await;

    let Answer::NotYet { evidence, remedy, .. } = world.ask().await.unwrap() else { panic!("a reader is in the way") };
    assert!(
        evidence.starts_with(
            "1_a.sql line 1 (ALTER TABLE orders ADD COLUMN total bigint): Lock wait timeout exceeded; try restarting \
             transaction (error 1205, SQLSTATE HY000); none of the file's steps was done; probably in the way: the \
             transaction of session "
        ),
        "{evidence}"
    );
    assert!(evidence.ends_with("none of 1 files is applied; traffic stays on blue"), "{evidence}");
    assert!(remedy.contains("End the transaction"), "{remedy}");

    run(&mut report, "COMMIT").await;
    world.yes().await;
}

/// While a migration waits behind a long report of blue's, blue's other queries wait behind the migration: for no longer than
/// the lock timeout, however often it is tried again, and in between they pass.
#[tokio::test]
async fn blues_queries_wait_no_longer_than_the_migration_may() {
    const LOCK_TIMEOUT: Duration = Duration::from_secs(1);
    let world = World::with(&[("1_a.sql", "ALTER TABLE orders ADD COLUMN total bigint;")]).await;
    world.run("CREATE TABLE orders (id bigint) ENGINE = InnoDB; INSERT INTO orders VALUES (1)").await;
    let mut report = world.connect().await;
    run(&mut report, "START TRANSACTION; SELECT * FROM orders").await;

    let (migrating, mut blue) = (tokio::spawn(settled(&world)), world.connect().await);
    let mut waited = Vec::new();
    // Long enough for two tries.
    let ends = Instant::now() + Duration::from_secs(5);
    while Instant::now() < ends {
        let sent = Instant::now();
        run(&mut blue, "SELECT id FROM orders").await;
        waited.push(sent.elapsed());
    }
    run(&mut report, "COMMIT").await;
    assert!(matches!(migrating.await.unwrap(), Answer::Yes { .. }));
    assert_eq!(world.rows("SELECT COUNT(total) FROM orders").await, ["0"], "the column is there");

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
            match check.ask(&context).await {
                Ok(Answer::NotYet { again_in, .. }) => tokio::time::sleep(again_in).await,
                answer => return answer.unwrap(),
            }
        }
    }
}

#[tokio::test]
async fn patience_with_a_lock_has_an_end() {
    let world = World::with(&[("1_a.sql", "UPDATE orders SET id = 2;")]).await;
    world.run("CREATE TABLE orders (id bigint) ENGINE = InnoDB; INSERT INTO orders VALUES (1)").await;
    let mut other = world.connect().await;
    run(&mut other, "START TRANSACTION; UPDATE orders SET id = 3").await;
    let (evidence, _) = world.no().await;
    assert!(evidence.contains("; tried 5 times"), "{evidence}");
}

/// A routine that gives up all locks would let a second migrator in.
#[tokio::test]
async fn a_lock_that_was_lost_on_the_way_is_noticed() {
    let world = World::with(&[
        ("1_a.sql", "CREATE FUNCTION free() RETURNS int RETURN RELEASE_ALL_LOCKS(); SELECT free();"),
        ("2_b.sql", "CREATE TABLE b (x int);"),
    ])
    .await;
    let (evidence, _) = world.no().await;
    assert!(evidence.contains("was not kept by our connection"), "{evidence}");
    assert!(!world.tables().await.contains(&"b".to_owned()));
}

/// While one hook works, the other says who works.
#[tokio::test]
async fn a_second_delivery_names_the_first_while_it_runs() {
    let world = World::with(&[]).await;
    world.write("1_a.sql", &format!("{}CREATE TABLE a (x int);", world.gate()));
    let gate = Gate::closed(&world).await;
    let (check, context) = (world.check(), world.context.clone());
    let first = tokio::spawn(async move { check.ask(&context).await });
    world.reached_gate().await;
    let Answer::NotYet { evidence, .. } = world.ask().await.unwrap() else { panic!("the first one works") };
    assert!(evidence.contains("(greenlight before-allow-traffic d-"), "{evidence}");
    assert!(evidence.contains(", in Query for "), "{evidence}");
    drop(gate);
    assert!(matches!(first.await.unwrap().unwrap(), Answer::Yes { .. }));
    until(async || matches!(world.ask().await.unwrap(), Answer::Yes { .. }).then_some(())).await;
}

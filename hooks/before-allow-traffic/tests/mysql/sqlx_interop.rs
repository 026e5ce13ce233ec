//! Teams come from sqlx and may go back.

use sqlx::migrate::MigrateError;

use crate::world::World;

const FILES: [(&str, &str); 4] = [
    ("1_orders.sql", "CREATE TABLE orders (id int, total int);\r\nINSERT INTO orders VALUES (1, 1);\r\n"),
    ("2_total.up.sql", "UPDATE orders SET total = total + 1;"),
    ("2_total.down.sql", "UPDATE orders SET total = total - 1;"),
    ("3_index.sql", "-- no-transaction\nCREATE INDEX by_total ON orders (total);"),
];

#[tokio::test]
async fn what_greenlight_applied_sqlx_takes_as_applied() {
    let world = World::with(&FILES).await;
    world.yes().await;
    world.sqlx().await.unwrap();
    assert_eq!(world.rows("SELECT total FROM orders").await, ["2"]);
}

#[tokio::test]
async fn what_sqlx_applied_greenlight_takes_as_applied() {
    let world = World::with(&FILES).await;
    world.sqlx().await.unwrap();
    assert!(world.yes().await.starts_with("3 of 3 files are applied"));
    assert_eq!(world.rows("SELECT total FROM orders").await, ["2"]);
}

#[tokio::test]
async fn the_two_ledgers_are_the_same_to_the_column() {
    const COLUMNS: &str = "SELECT CONCAT_WS(' ', column_name, column_type, is_nullable, column_default, extra, column_key) \
         FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = '_sqlx_migrations' \
         ORDER BY ordinal_position";
    const ROWS: &str =
        "SELECT CONCAT(version, description, success, HEX(checksum)) FROM _sqlx_migrations ORDER BY version";
    let (ours, theirs) = (World::with(&FILES).await, World::with(&FILES).await);
    ours.yes().await;
    theirs.sqlx().await.unwrap();
    assert_eq!(ours.rows(COLUMNS).await, theirs.rows(COLUMNS).await);
    assert_eq!(ours.rows(ROWS).await, theirs.rows(ROWS).await);
}

/// An application that migrates itself on start must not run a half-done file from its beginning.
#[tokio::test]
async fn sqlx_refuses_a_file_that_greenlight_has_not_finished() {
    let world = World::with(&[("1_a.sql", "CREATE TABLE a (x int);\nSELECT oops;")]).await;
    world.no().await;
    assert!(matches!(world.sqlx().await, Err(MigrateError::Dirty(1))));
}

/// sqlx leaves it so where a statement commits and a later one fails.
#[tokio::test]
async fn a_file_that_sqlx_has_left_half_done_is_not_guessed_at() {
    let world = World::with(&[("1_a.sql", "CREATE TABLE a (x int);\nSELECT oops;")]).await;
    world.sqlx().await.unwrap_err();
    let (evidence, remedy) = world.no().await;
    assert!(evidence.starts_with("1_a.sql is recorded as begun and not finished, by another tool"), "{evidence}");
    assert!(remedy.contains("delete the row of version 1"), "{remedy}");
}

/// MariaDB gives sqlx no lock, so one of the two may come second: it says so and changes nothing.
#[tokio::test]
async fn sqlx_and_greenlight_at_once_apply_everything_once() {
    let world = World::with(&FILES[..3]).await;
    let (evidence, sqlx) = tokio::join!(world.yes(), world.sqlx());
    if sqlx.is_err() {
        world.sqlx().await.unwrap();
    }
    assert!(evidence.starts_with("2 of 2 files are applied"), "{evidence}");
    assert_eq!(world.rows("SELECT total FROM orders").await, ["2"]);
}

//! Teams come from sqlx and may go back.

use sqlx::migrate::MigrateError;

use crate::world::World;

const FILES: [(&str, &str); 4] = [
    ("1_orders.sql", "CREATE TABLE orders (id int, total int);\r\nINSERT INTO orders VALUES (1, 1);\r\n"),
    ("2_total.up.sql", "UPDATE orders SET total = total + 1;"),
    ("2_total.down.sql", "UPDATE orders SET total = total - 1;"),
    ("3_index.sql", "-- no-transaction\nCREATE INDEX CONCURRENTLY by_total ON orders (total);"),
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
    const COLUMNS: &str = "SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull || ' ' \
         || coalesce(pg_get_expr(adbin, adrelid), '-'), ', ' ORDER BY attnum) \
         FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum \
         WHERE attrelid = '_sqlx_migrations'::regclass AND attnum > 0";
    const ROWS: &str =
        "SELECT version || description || success || encode(checksum, 'hex') FROM _sqlx_migrations ORDER BY version";
    let (ours, theirs) = (World::with(&FILES).await, World::with(&FILES).await);
    ours.yes().await;
    theirs.sqlx().await.unwrap();
    assert_eq!(ours.rows(COLUMNS).await, theirs.rows(COLUMNS).await);
    assert_eq!(ours.rows(ROWS).await, theirs.rows(ROWS).await);
}

/// An application that migrates itself on start must not run a half-done file from its beginning.
#[tokio::test]
async fn sqlx_refuses_a_file_that_greenlight_has_not_finished() {
    let world = World::with(&[("1_a.sql", "-- no-transaction\nCREATE TABLE a ();\nSELECT oops;")]).await;
    world.no().await;
    assert!(matches!(world.sqlx().await, Err(MigrateError::Dirty(1))));
}

#[tokio::test]
async fn sqlx_and_greenlight_at_once_apply_everything_once() {
    let world = World::with(&FILES[..3]).await;
    let (evidence, sqlx) = tokio::join!(world.yes(), world.sqlx());
    sqlx.unwrap();
    assert!(evidence.starts_with("2 of 2 files are applied"), "{evidence}");
    assert_eq!(world.rows("SELECT total FROM orders").await, ["2"]);
}

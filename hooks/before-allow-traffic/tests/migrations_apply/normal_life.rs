//! What happens on most days.

use greenlight::check::Check;
use greenlight::deployment::Rollback;

use crate::world::World;

const THREE: [(&str, &str); 3] = [
    ("1_orders.sql", "CREATE TABLE orders (id bigint PRIMARY KEY);\nINSERT INTO orders VALUES (1), (2);\n"),
    ("2_total.up.sql", "ALTER TABLE orders ADD COLUMN total bigint;"),
    ("10_fill.sql", "UPDATE orders SET total = id * 10;"),
];

#[tokio::test]
async fn files_are_applied_in_the_order_of_their_versions() {
    let world = World::with(&THREE).await;
    world.write("2_total.down.sql", "ALTER TABLE orders DROP COLUMN total;");
    let evidence = world.yes().await;
    let port = crate::server::server().port;
    assert_eq!(
        evidence,
        format!("3 of 3 files are applied in {} on 127.0.0.1:{port}, the last is 10_fill.sql", world.database)
    );
    assert_eq!(world.rows("SELECT total FROM orders ORDER BY id").await, ["10", "20"]);
    let ledger = "SELECT version || ' ' || description || ' ' || success FROM _sqlx_migrations ORDER BY version";
    assert_eq!(world.rows(ledger).await, ["1 orders true", "2 total true", "10 fill true"]);
}

#[tokio::test]
async fn a_second_delivery_is_answered_in_the_same_words_and_applies_nothing() {
    let world = World::with(&THREE).await;
    let first = world.yes().await;
    world.run("UPDATE orders SET total = 0").await;
    assert_eq!(world.yes().await, first);
    assert_eq!(world.rows("SELECT total FROM orders").await, ["0", "0"]);
}

#[tokio::test]
async fn only_what_is_new_is_applied_the_next_time() {
    let world = World::with(&THREE[..1]).await;
    world.yes().await;
    for (name, sql) in &THREE[1..] {
        world.write(name, sql);
    }
    assert!(world.yes().await.starts_with("3 of 3 files are applied"));
}

#[tokio::test]
async fn a_wrong_file_stops_the_deployment_and_what_came_before_stays() {
    let world = World::with(&THREE).await;
    world.write(
        "2_total.up.sql",
        "-- the total\nALTER TABLE orders ADD COLUMN total bigint;\nALTER TABLE oders\n  ADD COLUMN x int;",
    );
    let (evidence, remedy) = world.no().await;
    assert_eq!(
        evidence,
        "2_total.up.sql line 3 (ALTER TABLE oders ADD COLUMN x int): relation \"oders\" does not exist (SQLSTATE 42P01); the \
         file was undone whole; 1 of 3 files is applied and stays recorded: 1_orders.sql; traffic stays on blue"
    );
    assert_eq!(remedy, "Correct 2_total.up.sql (it is not recorded as applied, so it may change); then redeploy.");
    assert_eq!(world.rows("SELECT version FROM _sqlx_migrations").await, ["1"]);
    assert_eq!(world.no().await.0, evidence, "a second delivery says the same");

    world.write(THREE[1].0, THREE[1].1);
    assert!(world.yes().await.starts_with("3 of 3"));
}

#[tokio::test]
async fn the_line_is_the_one_on_which_the_server_stumbled() {
    let world = World::with(&[("1_a.sql", "SELECT 1;\n\nSELECT 'é',\n  nothing\nFROM pg_class;")]).await;
    let (evidence, _) = world.no().await;
    assert!(
        evidence.starts_with("1_a.sql line 4 (SELECT '…', nothing FROM pg_class): column \"nothing\""),
        "{evidence}"
    );
}

#[tokio::test]
async fn an_applied_file_that_was_changed_is_refused_by_name() {
    let world = World::with(&THREE).await;
    world.yes().await;
    world.write("2_total.up.sql", "ALTER TABLE orders ADD COLUMN total numeric;");
    world.write("11_more.sql", "CREATE TABLE more ();");
    let (evidence, remedy) = world.no().await;
    assert!(evidence.starts_with("applied files were changed since: 2_total.up.sql (recorded "), "{evidence}");
    assert!(evidence.ends_with("; nothing was migrated; traffic stays on blue"), "{evidence}");
    assert!(remedy.contains("new migration"), "{remedy}");
    assert_eq!(world.rows("SELECT to_regclass('more') IS NULL").await, ["true"]);
}

#[tokio::test]
async fn a_change_of_line_ends_alone_is_called_that() {
    let world = World::with(&THREE).await;
    world.yes().await;
    world.write("1_orders.sql", &THREE[0].1.replace('\n', "\r\n"));
    let (evidence, remedy) = world.no().await;
    assert!(
        evidence.starts_with("applied files were changed in nothing but their line ends since: 1_orders"),
        "{evidence}"
    );
    assert!(remedy.contains(".gitattributes"), "{remedy}");
}

/// After a rollback the database knows more than the files do: that is how it must be.
#[tokio::test]
async fn a_database_that_is_ahead_is_a_remark() {
    let world = World::with(&THREE).await;
    world.yes().await;
    world.remove("10_fill.sql");
    let evidence = world.yes().await;
    assert!(
        evidence.ends_with(
            "the last is 2_total.up.sql; the database is ahead by 1 version not in this folder, the newest 10"
        ),
        "{evidence}"
    );
}

#[tokio::test]
async fn a_rollback_is_not_migrated() {
    let mut world = World::with(&THREE).await;
    let mut deployment = (*world.context.deployment).clone();
    deployment.rollback = Some(Rollback::Automatic { of: None });
    world.context = world.fakes.context_of(world.context.stage, deployment);
    assert_eq!(world.yes().await, "not migrated: this deployment is a rollback");
    assert_eq!(world.rows("SELECT to_regclass('_sqlx_migrations') IS NULL").await, ["true"]);
}

#[tokio::test]
async fn a_service_without_migrations_passes() {
    let mut world = World::with(&[]).await;
    world.settings.source = None;
    world.settings.credentials = None;
    assert_eq!(world.yes().await, "no migrations are configured");
}

/// A dump's `set_config('search_path', '', false)` and somebody's `SET ROLE` must reach neither the ledger nor the next file.
#[tokio::test]
async fn settings_of_one_file_do_not_leak_into_the_next() {
    let world = World::with(&[
        ("1_a.sql", "CREATE ROLE leak_test NOLOGIN; SELECT set_config('search_path', '', false); SET ROLE leak_test;"),
        ("2_b.sql", "CREATE TABLE who AS SELECT current_user::text AS name, current_setting('search_path') AS path;"),
    ])
    .await;
    world.yes().await;
    assert_eq!(world.rows("SELECT name || ' ' || path FROM who").await, ["migrator \"$user\", public"]);
}

/// What a person would look for in `pg_stat_activity` while a migration runs.
#[tokio::test]
async fn the_connection_says_who_it_is_and_is_bounded_in_time() {
    let world = World::with(&[(
        "1_a.sql",
        "CREATE TABLE seen AS SELECT current_setting('application_name') AS name, current_setting('lock_timeout') AS lock, \
         current_setting('statement_timeout') <> '0' AS bounded;",
    )])
    .await;
    world.yes().await;
    let id = &world.context.deployment.id;
    assert_eq!(
        world.rows("SELECT name || ' ' || lock || ' ' || bounded FROM seen").await,
        [format!("greenlight before-allow-traffic {id} 100ms true")]
    );
    let left = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'greenlight%'";
    crate::world::until(async || (world.rows(left).await == ["0"]).then_some(())).await;
}

#[test]
fn the_check_asks_a_question() {
    let settings = before_allow_traffic::settings::Settings::read_from(&greenlight::plan::Plan::defaults(), |_| None);
    let check: &dyn Check = &before_allow_traffic::migrations_apply::MigrationsApply::new(settings, Default::default());
    assert_eq!(check.id(), "migrations-apply");
    assert!(check.question().ends_with('?'));
}

/// Seen in published projects: a file that renumbers its successors in the ledger itself.
#[tokio::test]
async fn a_file_that_writes_to_the_ledger_is_heard() {
    let world = World::with(&[
        ("1_a.sql", "CREATE TABLE a ();"),
        (
            "2_renumber.sql",
            "INSERT INTO _sqlx_migrations SELECT 3, 'a again', now(), true, checksum, 0 FROM _sqlx_migrations WHERE version = 1;",
        ),
        ("3_a_again.sql", "CREATE TABLE a ();"),
    ])
    .await;
    assert!(world.yes().await.starts_with("3 of 3 files are applied"));
}

/// A file that knows that it needs longer says so, and is not overruled.
#[tokio::test]
async fn a_file_may_set_its_own_limits() {
    let world = World::with(&[(
        "1_a.sql",
        "SET lock_timeout = '7s'; SET statement_timeout = '77s'; SELECT pg_sleep(1.2);\n\
         CREATE TABLE seen AS SELECT current_setting('lock_timeout') AS lock, current_setting('statement_timeout') AS statement;",
    )])
    .await;
    world.yes().await;
    assert_eq!(world.rows("SELECT lock || ' ' || statement FROM seen").await, ["7s 77s"]);
}

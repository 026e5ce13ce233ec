//! What happens on most days.

use crate::server::server;
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
    let port = server().port;
    assert_eq!(
        evidence,
        format!("3 of 3 files are applied in {} on 127.0.0.1:{port}, the last is 10_fill.sql", world.database)
    );
    assert_eq!(world.rows("SELECT total FROM orders ORDER BY id").await, ["10", "20"]);
    let ledger = "SELECT CONCAT_WS(' ', version, description, success) FROM _sqlx_migrations ORDER BY version";
    assert_eq!(world.rows(ledger).await, ["1 orders 1", "2 total 1", "10 fill 1"]);
    assert_eq!(world.rows("SELECT COUNT(*) FROM _greenlight_steps").await, ["0"]);
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
async fn a_wrong_file_stops_the_deployment_and_what_is_done_stays_and_is_told() {
    let world = World::with(&THREE).await;
    let begin = "-- the total\nALTER TABLE orders ADD COLUMN total bigint;\n";
    world.write("2_total.up.sql", &format!("{begin}ALTER TABLE oders\n  ADD COLUMN x int;"));
    let (evidence, remedy) = world.no().await;
    assert_eq!(
        evidence,
        format!(
            "2_total.up.sql line 3 (ALTER TABLE oders ADD COLUMN x int): Table '{}.oders' doesn't exist (error 1146, SQLSTATE \
             42S02); 1 of the file's 2 steps are done and stay; 1 of 3 files is applied and stays recorded: 1_orders.sql; \
             traffic stays on blue",
            world.database
        )
    );
    assert_eq!(
        remedy,
        "Correct 2_total.up.sql behind what is done of it (it is not recorded as applied, so it may change); then redeploy."
    );
    assert_eq!(world.no().await.0, evidence, "a second delivery says the same");

    world.write("2_total.up.sql", &format!("{begin}ALTER TABLE orders ADD COLUMN x int;"));
    assert!(world.yes().await.starts_with("3 of 3"));
    assert_eq!(world.rows("SELECT total FROM orders WHERE x IS NULL ORDER BY id").await, ["10", "20"]);
}

#[tokio::test]
async fn the_line_is_the_one_on_which_the_server_stumbled_and_no_text_is_told() {
    let world =
        World::with(&[("1_a.sql", "SELECT 1;\n\nSELECT 'hunter2',\n  nothing 'hunter2', 'hunter2' oops 1;")]).await;
    let (evidence, _) = world.no().await;
    assert!(
        evidence.starts_with("1_a.sql line 4 (SELECT '…', nothing '…', '…' oops 1): You have an error"),
        "{evidence}"
    );
    assert!(!evidence.contains("hunter2"), "{evidence}");
}

#[tokio::test]
async fn an_applied_file_that_was_changed_is_refused_by_name() {
    let world = World::with(&THREE).await;
    world.yes().await;
    world.write("2_total.up.sql", "ALTER TABLE orders ADD COLUMN total numeric;");
    world.write("11_more.sql", "CREATE TABLE more (x int);");
    let (evidence, remedy) = world.no().await;
    assert!(evidence.starts_with("applied files were changed since: 2_total.up.sql (recorded "), "{evidence}");
    assert!(evidence.ends_with("; nothing was migrated; traffic stays on blue"), "{evidence}");
    assert!(remedy.contains("new migration"), "{remedy}");
    assert!(!world.tables().await.contains(&"more".to_owned()));
}

#[tokio::test]
async fn a_database_that_is_ahead_is_a_remark() {
    let world = World::with(&THREE).await;
    world.yes().await;
    world.remove("10_fill.sql");
    let evidence = world.yes().await;
    assert!(evidence.ends_with("the database is ahead by 1 version not in this folder, the newest 10"), "{evidence}");
}

/// Each is seen by whoever comes next on the same connection.
#[tokio::test]
async fn settings_of_one_file_do_not_leak_into_the_next() {
    let world = World::with(&[
        (
            "1_a.sql",
            "SET SESSION sql_mode = 'ANSI_QUOTES', time_zone = '+03:00', foreign_key_checks = 0; SET @left = 7; \
             CREATE TEMPORARY TABLE seen (x int); PREPARE q FROM 'SELECT 1'; SET SESSION lock_wait_timeout = 77;",
        ),
        (
            "2_b.sql",
            "CREATE TABLE seen AS SELECT \"text\" AS quoted, @left AS variable, @@foreign_key_checks AS checks, \
             @@time_zone = @@GLOBAL.time_zone AS zone, @@lock_wait_timeout AS wait;",
        ),
    ])
    .await;
    world.yes().await;
    let seen = "SELECT CONCAT_WS(' ', quoted, COALESCE(variable, 'none'), checks, zone, wait) FROM seen";
    assert_eq!(world.rows(seen).await, ["text none 1 1 1"]);
}

/// A file that knows that it needs longer says so, and is not overruled.
#[tokio::test]
async fn a_file_may_set_its_own_limits() {
    let world = World::with(&[(
        "1_a.sql",
        "SET SESSION lock_wait_timeout = 7, innodb_lock_wait_timeout = 8; DO SLEEP(1.2);\n\
         CREATE TABLE seen AS SELECT @@lock_wait_timeout AS definitions, @@innodb_lock_wait_timeout AS row_locks;",
    )])
    .await;
    world.yes().await;
    assert_eq!(world.rows("SELECT CONCAT(definitions, ' ', row_locks) FROM seen").await, ["7 8"]);
}

/// Triggers and routines hold semicolons, and need no DELIMITER.
#[tokio::test]
async fn routines_are_made_and_called() {
    let world = World::with(&[(
        "1_a.sql",
        "CREATE TABLE a (x int);\n\
         CREATE PROCEDURE fill(n int) BEGIN DECLARE i int DEFAULT 0; WHILE i < n DO INSERT INTO a VALUES (i); SET i = i + 1; END WHILE; END;\n\
         CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN SET NEW.x = NEW.x + 10; END;\n\
         CALL fill(3);",
    )])
    .await;
    world.yes().await;
    assert_eq!(world.rows("SELECT x FROM a ORDER BY x").await, ["10", "11", "12"]);
}

/// A first migration is often a dump.
#[tokio::test]
async fn what_mysqldump_writes_is_applied() {
    let world = World::with(&[
        (
            "1_dump.sql",
            "-- MySQL dump 10.13\n\
             /*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;\n/*!40101 SET NAMES utf8mb4 */;\n\
             /*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;\n\
             DROP TABLE IF EXISTS `orders`;\n/*!40101 SET character_set_client = utf8 */;\n\
             CREATE TABLE `orders` (\n  `id` int NOT NULL,\n  `note` text,\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;\n\
             LOCK TABLES `orders` WRITE;\n/*!40000 ALTER TABLE `orders` DISABLE KEYS */;\n\
             INSERT INTO `orders` VALUES (1,'it\\'s; \\\"so\\\"'),(2,NULL);\n\
             /*!40000 ALTER TABLE `orders` ENABLE KEYS */;\nUNLOCK TABLES;\n\
             /*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;\n\
             /*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;\n-- Dump completed\n",
        ),
        ("2_more.sql", "INSERT INTO orders VALUES (3, 'x');"),
    ])
    .await;
    world.yes().await;
    let notes = "SELECT COALESCE(note, 'none') FROM orders ORDER BY id";
    assert_eq!(world.rows(notes).await, ["it's; \"so\"", "none", "x"]);
}

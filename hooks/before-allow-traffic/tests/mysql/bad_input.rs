//! What is wrong before anything is done: one clear row, and a database as it was.

use greenlight::check::Answer;

use crate::server::{PASSWORD, reader, server};
use crate::world::{World, chain};

async fn refused(world: &World) -> (String, String) {
    let (evidence, remedy) = world.no().await;
    assert!(!evidence.contains(PASSWORD) && !remedy.contains(PASSWORD), "{evidence} {remedy}");
    let tables = world.tables().await;
    assert!(tables.iter().all(|table| table.starts_with("alembic")), "half done: {tables:?}");
    (evidence, remedy)
}

fn secret(world: &World, change: impl Fn(&str) -> String) {
    let mut state = world.fakes.state();
    let value = state.secrets.get_mut("shop/migrator").unwrap();
    *value = change(value);
}

#[tokio::test]
async fn every_file_that_cannot_work_is_named_before_the_first_is_applied() {
    let world = World::with(&[
        ("1_good.sql", "CREATE TABLE good (x int);"),
        ("2_bom.sql", "\u{feff}CREATE TABLE bom (x int);"),
        ("3_commit.sql", "CREATE TABLE c (x int);\nCOMMIT;\nCREATE TABLE d (x int);"),
        ("4_open.sql", "SELECT 'open"),
        ("5_delimiter.sql", "DELIMITER //\nCREATE PROCEDURE p() BEGIN SELECT 1; END//\nDELIMITER ;"),
        ("6_locks.sql", "LOCK TABLES good WRITE;\nINSERT INTO good VALUES (1);"),
        ("7_release.sql", "DO RELEASE_ALL_LOCKS();"),
        ("8_use.sql", "USE mysql;"),
        ("9_begin.sql", "SELECT 1;\nBEGIN;"),
        ("10_xa.sql", "XA START 'x';"),
        ("11_ddl.sql", "START TRANSACTION;\nCREATE TABLE e (x int);\nCOMMIT;"),
        ("12_autocommit.sql", "SET autocommit = 0;"),
        ("13_local.sql", "LOAD DATA LOCAL INFILE 'x' INTO TABLE good;"),
    ])
    .await;
    let (evidence, _) = refused(&world).await;
    for expected in [
        "2_bom.sql begins with a byte order mark",
        "3_commit.sql line 2: COMMIT ends a transaction that was never begun",
        "4_open.sql line 1: a quoted text is opened here and never closed",
        "5_delimiter.sql line 1: DELIMITER is a word for the mysql client",
        "6_locks.sql line 1: here are the tables locked and never unlocked",
        "7_release.sql line 1: DO RELEASE_ALL_LOCKS() would give back the lock",
        "8_use.sql line 1: USE mysql leaves the database test_",
        "9_begin.sql line 2: here begins a transaction that never ends",
        "10_xa.sql line 1: XA START '…' is part of a transaction that another session may end",
        "11_ddl.sql line 2: CREATE TABLE e (x int) would commit the transaction that begins on line 1",
        "12_autocommit.sql line 1: SET autocommit = 0 begins a transaction of which nobody can say where it ends",
        "13_local.sql line 1: LOAD DATA LOCAL INFILE '…' INTO TABLE good needs a file that only a client could send",
    ] {
        assert!(evidence.contains(expected), "{expected} is not in: {evidence}");
    }
    assert!(evidence.ends_with("; nothing was migrated; traffic stays on blue"), "{evidence}");
}

#[tokio::test]
async fn a_wrong_password() {
    let world = World::with(&[("1_a.sql", "CREATE TABLE a (x int);")]).await;
    secret(&world, |value| value.replace(PASSWORD, "hunter2"));
    let (evidence, remedy) = refused(&world).await;
    assert!(evidence.contains("refused user migrator: Access denied for user 'migrator'@"), "{evidence}");
    assert!(remedy.contains("current user and password"), "{remedy}");
    assert!(!evidence.contains("hunter2"));
}

#[tokio::test]
async fn a_database_that_does_not_exist() {
    let world = World::with(&[("1_a.sql", "CREATE TABLE a (x int);")]).await;
    secret(&world, |value| value.replace(&world.database, "nowhere"));
    let (evidence, remedy) = refused(&world).await;
    assert!(evidence.contains("Unknown database 'nowhere' (error 1049"), "{evidence}");
    assert!(remedy.starts_with("Create the database"), "{remedy}");
}

/// The server quotes the statement where it does not understand it, and the value where it does not fit.
#[tokio::test]
async fn a_password_in_a_statement_is_never_told() {
    for sql in [
        "CREATE USER app IDENTIFIED BY 'hunter2' OOPS 'hunter2'",
        "SET SESSION sql_mode = 'hunter2'",
        "CREATE TABLE a (x int);\nINSERT INTO a VALUES ('hunter2')",
        "CREATE TABLE a (x varchar(9) UNIQUE);\nINSERT INTO a VALUES ('hunter2'), ('hunter2')",
        "SELECT hunter2('hunter2'",
    ] {
        let world = World::with(&[("1_a.sql", sql)]).await;
        let (evidence, remedy) = world.no().await;
        let told = evidence.replace("hunter2('…'", "");
        assert!(!told.contains("hunter2") && !remedy.contains("hunter2"), "{sql}: {evidence}");
    }
}

/// Nobody knows, which is not no: the network may come back.
#[tokio::test]
async fn a_host_that_cannot_be_reached() {
    let mut world = World::with(&[("1_a.sql", "CREATE TABLE a (x int);")]).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    world.settings.overrides.port = Some(free);
    let unknown = world.ask().await.unwrap_err();
    assert!(unknown.transient);
    let said = chain(&unknown);
    assert!(said.starts_with(&format!("{} on 127.0.0.1:{free}: no connection", world.database)), "{said}");
}

#[tokio::test]
async fn a_server_that_takes_no_writes() {
    let world = World::with(&[("1_a.sql", "CREATE TABLE a (x int);")]).await;
    let reader = tokio::task::spawn_blocking(reader).await.unwrap();
    secret(&world, |value| {
        let here = value.replace(&world.database, "admin");
        here.replace(&format!("\"port\":{}", server().port), &format!("\"port\":{}", reader.port))
    });
    let answer = crate::world::until(async || world.ask().await.ok()).await;
    let Answer::NotYet { evidence, remedy, .. } = answer else { panic!("it takes no writes: {answer:?}") };
    assert!(evidence.ends_with("is a replica or read-only (read_only); nothing was migrated"), "{evidence}");
    assert!(remedy.contains("writer's endpoint"), "{remedy}");
}

#[tokio::test]
async fn a_database_that_another_tool_migrates() {
    let world = World::with(&[("1_a.sql", "CREATE TABLE a (x int);")]).await;
    world.run("CREATE TABLE alembic_version (version_num text)").await;
    let (evidence, _) = refused(&world).await;
    assert!(evidence.contains("it has Alembic's table alembic_version and no _sqlx_migrations"), "{evidence}");
}

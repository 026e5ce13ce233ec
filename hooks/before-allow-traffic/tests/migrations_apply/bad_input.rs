//! What is wrong before anything is done: one clear row, and a database as it was.

use greenlight::check::Answer;

use crate::server::{PASSWORD, server, standby};
use crate::world::{World, chain};

async fn refused(world: &World) -> (String, String) {
    let (evidence, remedy) = world.no().await;
    assert!(!evidence.contains(PASSWORD) && !remedy.contains(PASSWORD), "{evidence} {remedy}");
    let tables =
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'alembic%'";
    assert_eq!(world.rows(tables).await, Vec::<String>::new(), "nothing half done");
    (evidence, remedy)
}

fn secret(world: &World, change: impl Fn(&str) -> String) {
    let mut state = world.fakes.state();
    let value = state.secrets.get_mut("shop/migrator").unwrap();
    *value = change(value);
}

#[tokio::test]
async fn an_empty_folder() {
    let world = World::with(&[("README.md", "nothing here")]).await;
    let (evidence, _) = refused(&world).await;
    assert!(evidence.ends_with(" holds no migration: no file <version>_<description>.sql"), "{evidence}");
}

#[tokio::test]
async fn names_and_texts_that_sqlx_would_not_take() {
    let world = World::with(&[("1_good.sql", "CREATE TABLE good ();"), ("init.sql", ""), ("01_twin.sql", "")]).await;
    let (evidence, _) = refused(&world).await;
    assert!(
        evidence.starts_with("01_twin.sql and 1_good.sql have the same version 1; init.sql has no version"),
        "{evidence}"
    );
}

#[tokio::test]
async fn texts_that_are_none_and_files_that_are_too_large() {
    let world = World::with(&[("1_good.sql", "CREATE TABLE good ();")]).await;
    std::fs::write(world.folder.path().join("2_latin.sql"), b"SELECT 1;\nSELECT '\xe9';").unwrap();
    std::fs::File::create(world.folder.path().join("3_large.sql")).unwrap().set_len(50 * 1024 * 1024).unwrap();
    let (evidence, _) = refused(&world).await;
    assert_eq!(
        evidence,
        "3_large.sql has 50.0 MiB, and a migration has 16 MiB at most; 2_latin.sql line 2 is not UTF-8 (byte 18); nothing \
         was migrated; traffic stays on blue"
    );
}

#[tokio::test]
async fn every_file_that_cannot_work_is_named_before_the_first_is_applied() {
    let world = World::with(&[
        ("1_good.sql", "CREATE TABLE good ();"),
        ("2_bom.sql", "\u{feff}CREATE TABLE bom ();"),
        ("3_commit.sql", "CREATE TABLE c ();\nCOMMIT;\nCREATE TABLE d ();"),
        ("4_open.sql", "SELECT 'open"),
        ("5_index.sql", "CREATE INDEX CONCURRENTLY i ON good (x);"),
        ("6_copy.sql", "COPY good FROM STDIN;"),
        ("7_chain.sql", "-- no-transaction\nBEGIN;"),
    ])
    .await;
    let (evidence, _) = refused(&world).await;
    for expected in [
        "2_bom.sql begins with a byte order mark",
        "3_commit.sql line 2: COMMIT would end the transaction",
        "4_open.sql line 1: a quoted text is opened here and never closed",
        "5_index.sql line 1: CREATE INDEX CONCURRENTLY i ON good (x) cannot run in a transaction",
        "6_copy.sql line 1: COPY good FROM STDIN needs data that only psql could send",
        "7_chain.sql line 2: the transaction that begins here never ends",
    ] {
        assert!(evidence.contains(expected), "{expected} is not in: {evidence}");
    }
}

#[tokio::test]
async fn a_wrong_password() {
    let world = World::with(&[("1_a.sql", "CREATE TABLE a ();")]).await;
    secret(&world, |value| value.replace(PASSWORD, "hunter2"));
    let (evidence, remedy) = refused(&world).await;
    assert!(
        evidence
            .ends_with("refused user migrator: password authentication failed for user \"migrator\" (SQLSTATE 28P01)"),
        "{evidence}"
    );
    assert!(remedy.contains("current user and password"), "{remedy}");
    assert!(!evidence.contains("hunter2"));
}

#[tokio::test]
async fn a_database_that_does_not_exist() {
    let world = World::with(&[("1_a.sql", "CREATE TABLE a ();")]).await;
    secret(&world, |value| value.replace(&world.database, "nowhere"));
    let (evidence, _) = refused(&world).await;
    assert!(evidence.ends_with("database \"nowhere\" does not exist (SQLSTATE 3D000)"), "{evidence}");
}

#[tokio::test]
async fn a_secret_without_a_password_or_of_another_engine() {
    let world = World::with(&[("1_a.sql", "CREATE TABLE a ();")]).await;
    secret(&world, |value| value.replace("\"password\"", "\"pass\""));
    assert_eq!(refused(&world).await.0, "secret shop/migrator has no password");
    secret(&world, |value| value.replace("postgres", "oracle-ee"));
    assert!(refused(&world).await.0.starts_with("secret shop/migrator is for engine oracle-ee"));
}

#[tokio::test]
async fn a_secret_that_is_not_there() {
    let world = World::with(&[("1_a.sql", "CREATE TABLE a ();")]).await;
    world.fakes.state().secrets.clear();
    let unknown = world.ask().await.unwrap_err();
    assert_eq!(chain(&unknown), "secret shop/migrator: there is no such secret");
    assert_eq!(unknown.remedy, "Create it, or correct its name in the plan.");
    assert_eq!(world.rows("SELECT count(*) FROM pg_class WHERE relname = 'a'").await, ["0"]);
}

#[tokio::test]
async fn a_plan_that_names_no_secret() {
    let mut world = World::with(&[("1_a.sql", "CREATE TABLE a ();")]).await;
    world.settings.credentials = None;
    let (_, remedy) = refused(&world).await;
    assert_eq!(
        remedy,
        "Name one in the plan (database.secret), or a user for IAM authentication (database.auth); then redeploy."
    );
}

/// Nobody knows, which is not no: the network may come back.
#[tokio::test]
async fn a_host_that_cannot_be_reached() {
    let mut world = World::with(&[("1_a.sql", "CREATE TABLE a ();")]).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    world.settings.overrides.port = Some(free);
    let unknown = world.ask().await.unwrap_err();
    assert!(unknown.transient);
    let said = chain(&unknown);
    assert!(said.starts_with(&format!("{} on 127.0.0.1:{free}: no connection", world.database)), "{said}");
    assert!(unknown.remedy.contains("security group"), "{}", unknown.remedy);
    assert!(!said.contains(PASSWORD));
}

/// Loopback or not, whoever asks for verification gets it: this server speaks no TLS at all.
#[tokio::test]
async fn a_server_without_tls_where_it_is_asked_for() {
    let world = World::with(&[("1_a.sql", "CREATE TABLE a ();")]).await;
    secret(&world, |value| value.replace('}', r#","sslmode":"verify-full"}"#));
    let (evidence, _) = world.no().await;
    assert!(evidence.ends_with("no trusted connection: server does not support TLS"), "{evidence}");
}

#[tokio::test]
async fn a_reader_is_told_apart_from_a_writer() {
    let world = World::with(&[("1_a.sql", "CREATE TABLE a ();")]).await;
    world.run(&format!("ALTER DATABASE {} SET default_transaction_read_only = on", world.database)).await;
    let Answer::NotYet { evidence, remedy, .. } = world.ask().await.unwrap() else { panic!("it takes no writes") };
    assert!(evidence.contains("is read-only"), "{evidence}");
    assert!(remedy.contains("writer's endpoint"), "{remedy}");
}

/// A real one, that follows a primary.
#[tokio::test]
async fn a_replica_takes_no_writes() {
    let world = World::with(&[("1_a.sql", "CREATE TABLE a ();")]).await;
    let standby = tokio::task::spawn_blocking(standby).await.unwrap();
    secret(&world, |value| {
        let here = value.replace(&world.database, "postgres");
        here.replace(&format!("\"port\":{}", server().port), &format!("\"port\":{}", standby.port))
    });
    let Answer::NotYet { evidence, remedy, .. } = world.ask().await.unwrap() else { panic!("it takes no writes") };
    assert_eq!(evidence, format!("postgres on 127.0.0.1:{} is a read replica; nothing was migrated", standby.port));
    assert!(remedy.contains("writer's endpoint"), "{remedy}");
}

/// The kernel's own answer to the server: nothing can be written to this device.
#[tokio::test]
async fn a_disk_that_is_full() {
    let sql = "CREATE TABLE a (x int);\nCOPY (SELECT generate_series(1, 100000)) TO '/dev/full';";
    let world = World::with(&[("1_a.sql", sql)]).await;
    let (evidence, remedy) = world.no().await;
    assert!(
        evidence.starts_with(
            "1_a.sql line 2 (COPY (SELECT generate_series(1, 100000)) TO '…'): could not write to COPY file: "
        ) && evidence.contains("No space left on device (SQLSTATE 53100); the file was undone whole;"),
        "{evidence}"
    );
    assert_eq!(remedy, "Give the database the room it lacks; then redeploy.");
    assert_eq!(world.rows("SELECT to_regclass('a') IS NULL").await, ["true"]);
    assert_eq!(world.rows("SELECT count(*) FROM _sqlx_migrations").await, ["0"]);
}

#[tokio::test]
async fn a_database_that_another_tool_migrates() {
    let world = World::with(&[("1_a.sql", "CREATE TABLE a ();")]).await;
    world.run("CREATE TABLE alembic_version (version_num text)").await;
    let (evidence, _) = refused(&world).await;
    assert!(evidence.contains("it has Alembic's table alembic_version and no _sqlx_migrations"), "{evidence}");
}

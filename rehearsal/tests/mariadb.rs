//! The rehearsal's MariaDB is a real one.

use rehearsal::mariadb::MariaDb;
use rehearsal::postgres::Shown;

#[tokio::test]
async fn a_server_starts_migrates_stops_and_leaves_nothing() {
    let server = MariaDb::start(None, Shown::Trusted).await.expect("MariaDB starts");
    let folder = server.folder().to_owned();
    server.create_database("orders").await.expect("the database is new");
    assert_eq!(server.applied_migrations("orders").await.expect("it can be asked"), []);
    let files = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(files.path().join("1_a.sql"), "CREATE TABLE a (id INT);").expect("the folder is writable");
    std::fs::write(files.path().join("2_b.sql"), "CREATE TABLE b (id INT);").expect("the folder is writable");
    server.apply("orders", files.path(), Some(1)).await.expect("it is applied");
    let applied = server.applied_migrations("orders").await.expect("it can be asked");
    assert_eq!(applied.iter().map(|it| (it.version, it.success)).collect::<Vec<_>>(), [(1, true)]);
    server.stop().await;
    assert!(!folder.exists(), "its folder is left");
}

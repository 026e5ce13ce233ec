//! Files that begin with `-- no-transaction`.

use crate::world::World;

#[tokio::test]
async fn every_statement_runs_even_those_that_refuse_a_transaction() {
    let world = World::with(&[(
        "1_a.sql",
        "-- no-transaction\nCREATE TABLE orders (id int, total int);\nVACUUM orders;\n\
         CREATE INDEX CONCURRENTLY by_total ON orders (total);\nALTER SYSTEM RESET work_mem;\n\
         DO $$ BEGIN INSERT INTO orders VALUES (1, 1); COMMIT; INSERT INTO orders VALUES (2, 2); END $$;\n\
         REINDEX TABLE CONCURRENTLY orders;\n",
    )])
    .await;
    world.yes().await;
    assert_eq!(world.rows("SELECT id FROM orders ORDER BY id").await, ["1", "2"]);
    assert_eq!(world.rows("SELECT count(*) FROM _greenlight_steps").await, ["0"]);
}

#[tokio::test]
async fn a_step_that_fails_is_the_place_where_the_corrected_file_goes_on() {
    let begin = "-- no-transaction\nCREATE TABLE a (x int);\nINSERT INTO a VALUES (1);\n";
    let world = World::with(&[("1_a.sql", &format!("{begin}INSERT INTO b VALUES (2);"))]).await;
    let (evidence, _) = world.no().await;
    assert!(
        evidence.starts_with("1_a.sql line 4 (INSERT INTO b VALUES (2)): relation \"b\" does not exist (SQLSTATE 42P01); 2 of the file's 3 steps are done and stay"),
        "{evidence}"
    );
    assert_eq!(world.rows("SELECT success FROM _sqlx_migrations").await, ["false"], "sqlx keeps its hands off");

    world.write("1_a.sql", &format!("{begin}INSERT INTO a VALUES (2);"));
    world.yes().await;
    assert_eq!(world.rows("SELECT x FROM a ORDER BY x").await, ["1", "2"]);
    world.sqlx().await.unwrap();
}

#[tokio::test]
async fn steps_that_are_done_must_not_be_rewritten() {
    let world =
        World::with(&[("1_a.sql", "-- no-transaction\nCREATE TABLE a (x int);\nINSERT INTO b VALUES (2);")]).await;
    world.no().await;
    world.write("1_a.sql", "-- no-transaction\nCREATE TABLE a (x bigint);\nINSERT INTO a VALUES (2);");
    let (evidence, remedy) = world.no().await;
    assert!(
        evidence.starts_with("1_a.sql was changed where an earlier run has already done 1 step (it has 2 now)"),
        "{evidence}"
    );
    assert!(remedy.starts_with("Put the first 1 step of 1_a.sql back"), "{remedy}");

    world.write("1_a.sql", "CREATE TABLE c ();");
    let (evidence, _) = world.no().await;
    assert!(evidence.starts_with("1_a.sql was begun without a transaction and stopped after 1 step;"), "{evidence}");
}

#[tokio::test]
async fn settings_are_made_again_by_the_run_that_goes_on() {
    let begin = "-- no-transaction\nCREATE SCHEMA shop;\nSET search_path = shop;\nCREATE TABLE a (x int);\n";
    let world = World::with(&[("1_a.sql", &format!("{begin}INSERT INTO b VALUES (2);"))]).await;
    world.no().await;
    world.write("1_a.sql", &format!("{begin}INSERT INTO a VALUES (2);"));
    world.yes().await;
    assert_eq!(world.rows("SELECT x FROM shop.a").await, ["2"]);
}

#[tokio::test]
async fn a_row_that_another_tool_left_unfinished_is_not_guessed_at() {
    let world = World::with(&[("1_a.sql", "-- no-transaction\nSELECT 1;")]).await;
    world.yes().await;
    world.run("UPDATE _sqlx_migrations SET success = false").await;
    let (evidence, _) = world.no().await;
    assert!(evidence.starts_with("1_a.sql is recorded as begun and not finished, by another tool"), "{evidence}");
}

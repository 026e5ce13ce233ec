//! Files are run step by step.

use crate::world::World;

#[tokio::test]
async fn a_transaction_of_the_file_is_done_whole_or_not_at_all() {
    let world = World::with(&[(
        "1_a.sql",
        "CREATE TABLE a (x int) ENGINE = InnoDB;\nSTART TRANSACTION;\nINSERT INTO a VALUES (1);\nINSERT INTO a VALUES (oops);\nCOMMIT;",
    )])
    .await;
    let (evidence, _) = world.no().await;
    assert!(evidence.starts_with("1_a.sql line 4 (INSERT INTO a VALUES (oops)): Unknown column"), "{evidence}");
    assert!(evidence.contains("; 1 of the file's 2 steps are done and stay;"), "{evidence}");
    assert_eq!(world.rows("SELECT x FROM a").await, Vec::<String>::new());
    world.write(
        "1_a.sql",
        "CREATE TABLE a (x int) ENGINE = InnoDB;\nSTART TRANSACTION;\nINSERT INTO a VALUES (1);\nINSERT INTO a VALUES (2);\nCOMMIT;",
    );
    world.yes().await;
    assert_eq!(world.rows("SELECT x FROM a ORDER BY x").await, ["1", "2"]);
}

#[tokio::test]
async fn steps_that_are_done_must_not_be_rewritten() {
    let world = World::with(&[("1_a.sql", "CREATE TABLE a (x int);\nINSERT INTO b VALUES (2);")]).await;
    world.no().await;
    world.write("1_a.sql", "CREATE TABLE a (x bigint);\nINSERT INTO a VALUES (2);");
    let (evidence, remedy) = world.no().await;
    assert!(
        evidence.starts_with("1_a.sql was changed where an earlier run has already done 1 step (it has 2 now)"),
        "{evidence}"
    );
    assert!(remedy.starts_with("Put the first 1 step of 1_a.sql back"), "{remedy}");
}

#[tokio::test]
async fn a_file_whose_first_step_is_refused_was_never_begun() {
    let world = World::with(&[("1_a.sql", "ALTER TABLE a ADD COLUMN x int;")]).await;
    let (evidence, _) = world.no().await;
    assert!(evidence.contains("; none of the file's steps was done;"), "{evidence}");
    assert_eq!(world.rows("SELECT COUNT(*) FROM _sqlx_migrations").await, ["0"], "sqlx would trip over it");
}

#[tokio::test]
async fn settings_are_made_again_by_the_run_that_goes_on() {
    let begin = "CREATE TABLE a (x int);\nSET @more = 7;\nINSERT INTO a VALUES (@more);\n";
    let world = World::with(&[("1_a.sql", &format!("{begin}INSERT INTO b VALUES (@more);"))]).await;
    world.no().await;
    world.write("1_a.sql", &format!("{begin}INSERT INTO a VALUES (@more + 1);"));
    world.yes().await;
    assert_eq!(world.rows("SELECT x FROM a ORDER BY x").await, ["7", "8"]);
}

/// What was there before is no sign that we have made it.
#[tokio::test]
async fn what_is_there_already_is_an_error_where_nothing_is_in_doubt() {
    for (sql, number) in [
        ("CREATE TABLE a (x int)", 1050),
        ("ALTER TABLE a ADD COLUMN x int", 1060),
        ("CREATE INDEX by_x ON a (x)", 1061),
        ("ALTER TABLE a DROP COLUMN gone", 1091),
        ("DROP TABLE gone", 1051),
    ] {
        let world = World::with(&[("1_a.sql", sql)]).await;
        world.run("CREATE TABLE a (x int, KEY by_x (x))").await;
        for _ in 0..2 {
            let (evidence, _) = world.no().await;
            assert!(evidence.contains(&format!("(error {number}, ")), "{evidence}");
        }
    }
}

/// The pattern by which files of MySQL ask before they act.
#[tokio::test]
async fn prepared_statements_are_made_and_executed() {
    let block = "SET @there = (SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'a' AND column_name = 'y');\n\
                 SET @sql = IF(@there > 0, 'DO 0', 'ALTER TABLE a ADD COLUMN y int');\nPREPARE q FROM @sql;\nEXECUTE q;\nDEALLOCATE PREPARE q;\n";
    let world =
        World::with(&[("1_a.sql", &format!("CREATE TABLE a (x int);\n{block}{block}INSERT INTO a VALUES (1, 2);"))])
            .await;
    world.yes().await;
    assert_eq!(world.rows("SELECT y FROM a").await, ["2"]);
}

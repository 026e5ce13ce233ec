//! What a person who looks on can read in the log while it runs.

use crate::lines::{listen, of_check};
use crate::world::World;

/// Five seconds and a half, for a statement is named every five.
#[tokio::test]
async fn a_long_statement_is_named_with_its_place_and_what_was_done_before_it() {
    let world = World::with(&[
        ("1_a.sql", "CREATE TABLE a (x int);"),
        ("2_b.sql", "INSERT INTO a SELECT seq FROM seq_1_to_7;\nINSERT INTO a SELECT SLEEP(5.5);\nDO 0;\n"),
    ])
    .await;
    listen();
    world.yes().await;
    let said = of_check();
    assert_eq!(said.len(), 6, "{said:#?}");
    assert_eq!(said[0], "applying 1_a.sql (1 of 2)");
    assert!(said[1].starts_with("applied 1_a.sql (1 of 2), 0 rows in "), "{said:#?}");
    assert_eq!(said[2], "applying 2_b.sql (2 of 2)");
    assert_eq!(said[3], "still running 2_b.sql line 2 (file 2 of 2, statement 2 of 3), 5 s so far, 7 rows before it");
    assert_eq!(said[4], "done 2_b.sql line 2 (statement 2 of 3), 1 row in 5 s");
    assert!(said[5].starts_with("applied 2_b.sql (2 of 2), 8 rows in "), "{said:#?}");
}

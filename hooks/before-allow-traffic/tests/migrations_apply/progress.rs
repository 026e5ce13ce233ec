//! What a person who looks on can read in the log while it runs.

use crate::lines::{listen, of_check};
use crate::world::World;

/// Five seconds and a half, for a statement is named every five.
#[tokio::test]
async fn a_long_statement_is_named_with_its_place_and_what_was_done_before_it() {
    let slow = "SELECT pg_sleep(5.5), i FROM generate_series(1, 1) i;\n";
    let world = World::with(&[
        ("1_a.sql", "CREATE TABLE a (x int);"),
        ("2_b.sql", &format!("-- no-transaction\nINSERT INTO a SELECT generate_series(1, 7);\n{slow}SELECT 1;\n")),
    ])
    .await;
    listen();
    world.yes().await;
    let said = of_check();
    assert_eq!(said.len(), 6, "{said:#?}");
    assert_eq!(said[0], "applying 1_a.sql (1 of 2)");
    assert!(said[1].starts_with("applied 1_a.sql (1 of 2), 0 rows in "), "{said:#?}");
    assert_eq!(said[2], "applying 2_b.sql (2 of 2)");
    assert_eq!(said[3], "still running 2_b.sql line 3 (file 2 of 2, statement 2 of 3), 5 s so far, 7 rows before it");
    assert_eq!(said[4], "done 2_b.sql line 3 (statement 2 of 3), 1 row in 5 s");
    assert!(said[5].starts_with("applied 2_b.sql (2 of 2), 9 rows in "), "{said:#?}");
}

//! What a person who looks on can read in the log while it runs.

use std::io;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

use crate::world::World;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Lines {
    /// Of the check, without times and fields.
    fn of_check(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let said = text.lines().filter_map(|line| line.split_once("before_allow_traffic::migrations::"));
        let said = said.filter_map(|(_, said)| said.split_once(": ")).map(|(_, said)| said);
        said.map(|said| said.split(" file=").next().unwrap_or(said).to_owned()).collect()
    }
}

/// Five seconds and a half, for a statement is named every five.
#[tokio::test]
async fn a_long_statement_is_named_with_its_place_and_what_was_done_before_it() {
    let slow = "SELECT pg_sleep(5.5), i FROM generate_series(1, 1) i;\n";
    let world = World::with(&[
        ("1_a.sql", "CREATE TABLE a (x int);"),
        ("2_b.sql", &format!("-- no-transaction\nINSERT INTO a SELECT generate_series(1, 7);\n{slow}SELECT 1;\n")),
    ])
    .await;
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    world.yes().await;
    drop(guard);
    let said = lines.of_check();
    assert_eq!(said.len(), 6, "{said:#?}");
    assert_eq!(said[0], "applying 1_a.sql (1 of 2)");
    assert!(said[1].starts_with("applied 1_a.sql (1 of 2), 0 rows in "), "{said:#?}");
    assert_eq!(said[2], "applying 2_b.sql (2 of 2)");
    assert_eq!(said[3], "still running 2_b.sql line 3 (file 2 of 2, statement 2 of 3), 5 s so far, 7 rows before it");
    assert_eq!(said[4], "done 2_b.sql line 3 (statement 2 of 3), 1 rows in 5 s");
    assert!(said[5].starts_with("applied 2_b.sql (2 of 2), 9 rows in "), "{said:#?}");
}

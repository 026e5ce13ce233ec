//! Whatever is killed, and whenever: the next run ends where an undisturbed one ends.
//!
//! A set of migrations of every kind is applied once undisturbed, and every message that the process sends to the server is
//! counted. Then it is applied anew as often as there are messages: each time the server has done what one of them says, the
//! answer is held back and the process gets SIGKILL, or the server is stopped as a failing machine stops it. What the next
//! run, or the next attempt, makes of it must be the same to the last row.
//!
//! This program is also the process that applies, `apply`, so it has no test harness. Anything else is the test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a test without harness says what it has done")]

use std::sync::Mutex;
use std::time::Instant;

use futures::StreamExt as _;

mod hook;
mod proxy;
mod server;
mod stage;

use proxy::Kill;
use server::Server;
use stage::Stage;

/// Points that are tried side by side, each each in a database of its own, which then is used again.
const AT_ONCE: usize = 4;

/// Statements that would show if they ran twice, half or not at all.
const FILES: [(&str, &str); 4] = [
    (
        "1_orders.sql",
        "CREATE TABLE orders (id int PRIMARY KEY, total int);\nINSERT INTO orders SELECT i, i FROM generate_series(1, 300) i;\n\
         CREATE FUNCTION twice(x int) RETURNS int LANGUAGE sql AS $$ SELECT x * 2 $$;\n",
    ),
    ("2_by_total.sql", "-- no-transaction\nCREATE INDEX CONCURRENTLY by_total ON orders (total);\n"),
    (
        "3_backfill.sql",
        "-- no-transaction\nSET search_path = public;\nALTER TABLE orders ADD COLUMN cents bigint;\n\
         UPDATE orders SET cents = coalesce(cents, 0) + total * 100 WHERE id <= 150;\n\
         UPDATE orders SET cents = coalesce(cents, 0) + total * 100 WHERE id > 150;\n\
         BEGIN; INSERT INTO orders VALUES (0, 0, 0); UPDATE orders SET total = twice(total); COMMIT;\n\
         VACUUM orders;\nDROP INDEX CONCURRENTLY by_total;\nCREATE UNIQUE INDEX CONCURRENTLY one ON orders (cents, id);\n",
    ),
    ("4_not_null.sql", "ALTER TABLE orders ALTER COLUMN cents SET NOT NULL;\nUPDATE orders SET total = total + 1;\n"),
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|word| word == "apply") {
        return hook::apply(&arguments[2..]);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(matrix());
}

async fn matrix() {
    let began = Instant::now();
    let server = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    for (name, sql) in FILES {
        std::fs::write(folder.path().join(name), sql).unwrap();
    }
    let stage = Stage { server: &server, folder: folder.path(), empty: Mutex::default() };

    let (expected, messages) = stage.undisturbed().await;
    assert!(expected.len() > 300 && messages.len() > 50, "{expected:?} {messages:?}");

    let points: Vec<usize> = (1..=messages.len()).collect();
    let (stage, expected, messages) = (&stage, &expected, &messages);
    let killed = futures::stream::iter(points.clone()).map(|point| async move {
        let found = stage.killed(point).await;
        assert_eq!(found, *expected, "the process was killed after message {point}: {}", messages[point - 1]);
    });
    killed.buffer_unordered(AT_ONCE).collect::<()>().await;
    println!("SIGKILL of the process at {} points: all converge", points.len());

    // Where nothing is written the server's death is the process's. In the middle of something it matters only where that is
    // not undone as a whole.
    let writing = points.into_iter().filter(|point| changes(&messages[*point - 1]));
    let kills: Vec<Kill> = writing
        .flat_map(|point| {
            [Kill::After(point)].into_iter().chain(is_its_own(&messages[point - 1]).then_some(Kill::While(point)))
        })
        .collect();
    for kill in &kills {
        let found = stage.crashed(*kill).await;
        assert_eq!(found, *expected, "the server died: {kill:?} of {messages:?}");
    }
    println!("immediate stop of the server at {} points: all converge", kills.len());
    println!("kill matrix of {} files ... ok, {} s", FILES.len(), began.elapsed().as_secs());
}

fn changes(message: &str) -> bool {
    let reads = ["SELECT", "SET ", "RESET", "SHOW", "; SET"];
    !reads.iter().any(|word| message.trim_start().starts_with(word))
}

/// Whether it is no part of a transaction that would be undone, or ends one.
fn is_its_own(message: &str) -> bool {
    ["CONCURRENTLY", "VACUUM", "COMMIT"].iter().any(|word| message.contains(word))
}

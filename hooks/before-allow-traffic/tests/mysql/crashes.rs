//! The server itself crashes while a file is applied.

use std::sync::Arc;
use std::time::Duration;

use greenlight::check::Check;

use crate::interruptions::{STATEMENTS, state};
use crate::server::{durable, server};
use crate::world::{World, chain};

/// Pauses before the crash. A whole run takes some 100 ms.
const AFTER: [u64; 8] = [5, 12, 20, 30, 40, 55, 75, 100];

/// Its dictionary knows of each statement whole or not at all (MariaDB from 10.6, MySQL from 8.0), and so do our records.
#[tokio::test]
async fn a_server_that_crashes_anywhere_converges() {
    let undisturbed = World::with(&[("1_a.sql", &STATEMENTS.concat())]).await;
    undisturbed.yes().await;
    let expected = state(&undisturbed).await;
    let fragile = Arc::new(tokio::task::spawn_blocking(durable).await.unwrap());
    assert_ne!(fragile.port, server().port);
    let mut interrupted = 0;
    for after in AFTER {
        let world = World::at(fragile.port, &[("1_a.sql", &STATEMENTS.concat())]).await;
        let (check, context) = (world.check(), world.context.clone());
        let running = tokio::spawn(async move { check.ask(&context).await });
        tokio::time::sleep(Duration::from_millis(after)).await;
        let crashing = Arc::clone(&fragile);
        tokio::task::spawn_blocking(move || crashing.crash()).await.unwrap();
        if let Err(unknown) = running.await.unwrap() {
            assert!(unknown.transient, "{}", chain(&unknown));
            interrupted += 1;
        }
        world.yes().await;
        assert_eq!(state(&world).await, expected, "crashed after {after} ms");
    }
    assert!(interrupted >= AFTER.len() / 2, "only {interrupted} runs were interrupted");
}

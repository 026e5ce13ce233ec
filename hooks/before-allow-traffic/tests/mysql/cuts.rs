//! The connection is cut at every message of a whole run: before the server gets it, and before we get the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use greenlight::check::Answer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::interruptions::{STATEMENTS, state};
use crate::server::server;
use crate::world::{World, chain};

/// Runs side by side.
const AT_ONCE: usize = 8;

/// When the connection is cut.
#[derive(Clone, Copy, Debug)]
struct Cut {
    /// At this message of ours; first is 0.
    at: usize,
    /// Whether the server still gets it: then it does what we never hear of.
    heard: bool,
}

/// Stands between the check and the server, for one connection at a time. Its port, and how many messages came by.
async fn proxy(cut: Cut) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, seen) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(passage(client, cut, Arc::clone(&counted)));
        }
    });
    (port, seen)
}

async fn passage(mut client: TcpStream, cut: Cut, seen: Arc<AtomicUsize>) {
    let mut server = TcpStream::connect(("127.0.0.1", server().port)).await.unwrap();
    let (mut ours, mut theirs) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut ours) => {
                let Ok(length @ 1..) = read else { return };
                let last = seen.fetch_add(1, Ordering::SeqCst) == cut.at;
                if last && !cut.heard {
                    return;
                }
                server.write_all(&ours[..length]).await.unwrap();
                if last {
                    return;
                }
            }
            read = server.read(&mut theirs) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&theirs[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Whether the run was cut at all, and how the database looks once another run has gone on.
async fn cut_run(cut: Cut) -> (Cut, bool, Vec<String>) {
    let mut world = World::with(&[("1_a.sql", &STATEMENTS.concat())]).await;
    let (port, seen) = proxy(cut).await;
    world.settings.overrides.port = Some(port);
    match world.ask().await {
        Ok(Answer::Yes { .. }) => {}
        // Where a file's mark on the session wants a new connection, the server may not have noticed yet that the old one is cut.
        Ok(Answer::NotYet { evidence, .. }) if evidence.starts_with("the migration lock of") => {}
        Ok(other) => panic!("{cut:?}: {other:?}"),
        Err(unknown) => assert!(unknown.transient, "{cut:?}: {}", chain(&unknown)),
    }
    let was_cut = seen.load(Ordering::SeqCst) > cut.at;
    world.settings.overrides.port = None;
    world.yes().await;
    (cut, was_cut, state(&world).await)
}

#[tokio::test]
async fn a_run_that_is_cut_at_any_message_converges() {
    let undisturbed = World::with(&[("1_a.sql", &STATEMENTS.concat())]).await;
    undisturbed.yes().await;
    let expected = state(&undisturbed).await;
    let mut cuts = (0..).flat_map(|at| [Cut { at, heard: false }, Cut { at, heard: true }]);
    let mut running: FuturesUnordered<_> = cuts.by_ref().take(AT_ONCE).map(cut_run).collect();
    let (mut messages, mut all) = (0, false);
    while let Some((cut, was_cut, state)) = running.next().await {
        assert_eq!(state, expected, "{cut:?}");
        messages = messages.max(if was_cut { cut.at + 1 } else { 0 });
        all |= !was_cut;
        if !all {
            running.extend(cuts.next().map(cut_run));
        }
    }
    assert!(messages > 80, "only {messages} messages were seen");
}

//! A target that goes loses no request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::Full;
use hyper::Response;
use tokio::sync::Notify;

use crate::stage::{
    BLUE, PRODUCTION, Server, balancer, deregister, get, health, journal, port, register, until_target_is, world,
};

#[tokio::test]
async fn a_request_under_way_ends_at_a_draining_target_and_no_other_begins_there() {
    let world = world();
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, waits) = (begun.clone(), go.clone());
    let old = Server::start(move |_| {
        told.notify_one();
        let waits = waits.clone();
        Box::pin(async move {
            waits.notified().await;
            Response::new(Full::from("old"))
        })
    })
    .await;
    let new = Server::saying(200, "new").await;
    register(&world, BLUE, "old", old.address);
    let alb = balancer(&world).await;
    until_target_is(&world, "old", "healthy").await;
    let mut log = alb.access_log().follow();
    let asked = tokio::spawn({
        let port = port(&world, PRODUCTION);
        async move { get(port, "/").await }
    });
    begun.notified().await;
    register(&world, BLUE, "new", new.address);
    until_target_is(&world, "new", "healthy").await;
    deregister(&world, BLUE, "old");
    // Told once the load balancer has taken note of the draining.
    world.until(|state| (state.target_groups[0].targets[0].in_flight == 1).then_some(())).await;
    for _ in 0..10 {
        assert_eq!(get(port(&world, PRODUCTION), "/").await.body, "new");
    }
    go.notify_one();
    assert_eq!(asked.await.expect("no panic").body, "old");
    world.until(|state| health(state, "old").is_none().then_some(())).await;

    let mut tasks = Vec::new();
    while let Ok(entry) = log.try_recv() {
        tasks.push(entry.task.clone().unwrap_or_default());
    }
    assert_eq!(tasks.iter().filter(|task| *task == "old").count(), 1, "{tasks:?}");
    assert_eq!(tasks.len(), 11);
}

#[tokio::test]
async fn a_target_drains_for_the_whole_delay_even_when_nothing_is_under_way() {
    let world = world();
    let blue = Server::saying(200, "blue").await;
    register(&world, BLUE, "0123456789ab", blue.address);
    let _alb = balancer(&world).await;
    until_target_is(&world, "0123456789ab", "healthy").await;
    deregister(&world, BLUE, "0123456789ab");
    let begun = world.now();
    world.until(|state| health(state, "0123456789ab").is_none().then_some(())).await;
    let took = world.now().duration_since(begun).as_secs();
    assert!((59..=75).contains(&took), "drained for {took} s");
    let last = journal(&world).pop();
    let expected = format!("ALB: target {} (blue task 01234567) in orders-blue: draining → deregistered", blue.address);
    assert_eq!(last, Some(expected));
}

/// Targets come and go under load, as in a deployment: whoever is asked before it is killed has drained.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_while_targets_are_replaced_under_load() {
    let world = world();
    let first = Server::saying(200, "ok").await;
    register(&world, BLUE, "task-0", first.address);
    let _alb = balancer(&world).await;
    until_target_is(&world, "task-0", "healthy").await;
    let (done, port) = (Arc::new(AtomicBool::new(false)), port(&world, PRODUCTION));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let done = done.clone();
            tokio::spawn(async move {
                let mut statuses = Vec::new();
                while !done.load(Ordering::SeqCst) {
                    statuses.push(get(port, "/").await.status);
                }
                statuses
            })
        })
        .collect();
    let mut serving = first;
    for round in 1..=6 {
        let (old, new) = (format!("task-{}", round - 1), format!("task-{round}"));
        let next = Server::saying(200, "ok").await;
        register(&world, BLUE, &new, next.address);
        until_target_is(&world, &new, "healthy").await;
        deregister(&world, BLUE, &old);
        world.until(|state| health(state, &old).is_none().then_some(())).await;
        std::mem::replace(&mut serving, next).kill().await;
    }
    done.store(true, Ordering::SeqCst);
    let mut sent = 0;
    for client in clients {
        let statuses = client.await.expect("no request is refused or reset");
        sent += statuses.len();
        assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    }
    assert!(sent > 100, "only {sent} requests");
    drop(tokio::time::timeout(Duration::from_secs(5), serving.kill()).await);
}

//! Health checks on the world's clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::Response;
use rehearsal::world::load_balancer::{BadAnswer, Health};
use rehearsal::world::metrics::MetricId;

use crate::stage::{BLUE, GREEN, Server, balancer, health, journal, register, until_target_is, weigh, world};

/// Answers its health check by a switch.
async fn switched(well: Arc<AtomicBool>) -> Server {
    Server::start_sick(move |_| {
        let status = if well.load(Ordering::SeqCst) { 200 } else { 500 };
        let response = Response::builder().status(status).body(Full::default()).expect("a response");
        Box::pin(async { response })
    })
    .await
}

#[tokio::test]
async fn a_target_is_checked_from_initial_to_healthy_to_unhealthy_and_back() {
    let world = world();
    let well = Arc::new(AtomicBool::new(true));
    let server = switched(well.clone()).await;
    register(&world, BLUE, "1a2b3c4d5e6f", server.address);
    let _alb = balancer(&world).await;
    until_target_is(&world, "1a2b3c4d5e6f", "healthy").await;
    well.store(false, Ordering::SeqCst);
    until_target_is(&world, "1a2b3c4d5e6f", "unhealthy").await;
    assert_eq!(world.read(|state| health(state, "1a2b3c4d5e6f")), Some(Health::Unhealthy(BadAnswer::Code(500))));
    well.store(true, Ordering::SeqCst);
    until_target_is(&world, "1a2b3c4d5e6f", "healthy").await;

    let target = format!("ALB: target {} (blue task 1a2b3c4d) in orders-blue: ", server.address);
    let expected = [
        "initial → healthy",
        "healthy → unhealthy: Health checks failed with these codes: [500]",
        "unhealthy → healthy",
    ];
    assert_eq!(journal(&world), expected.map(|change| format!("{target}{change}")));

    let asked = server.asked.lock().expect("no panic")[0].clone();
    assert_eq!(asked.uri, "/health");
    assert_eq!(asked.headers["user-agent"], "ELB-HealthChecker/2.0");
    assert_eq!(asked.headers["host"], server.address.to_string().as_str());
}

#[tokio::test]
async fn the_third_failed_check_makes_a_target_unhealthy_an_interval_apart() {
    let world = world();
    let server = switched(Arc::new(AtomicBool::new(false))).await;
    let registered = world.now();
    register(&world, BLUE, "sick", server.address);
    let _alb = balancer(&world).await;
    until_target_is(&world, "sick", "unhealthy").await;
    let since = world.read(|state| state.target_groups[0].targets[0].since);
    let took = since.duration_since(registered).as_secs();
    assert!(took >= 20, "three checks, ten seconds apart, took {took} s");
    assert!(server.asked.lock().expect("no panic").len() >= 3);
    assert_eq!(world.read(|state| state.target_groups[0].targets[0].streak), -3);
}

#[tokio::test]
async fn a_group_that_no_rule_names_is_unused_and_not_checked() {
    let world = world();
    let green = Server::saying(200, "green").await;
    register(&world, GREEN, "green-1", green.address);
    let _alb = balancer(&world).await;
    assert_eq!(world.read(|state| health(state, "green-1")), Some(Health::Unused));
    weigh(&world, 100, 0);
    until_target_is(&world, "green-1", "healthy").await;
    world.update(|state| {
        let rule = &mut state.listeners[0].rules[0];
        rule.action = crate::stage::forward(&[(BLUE, 100)]);
    });
    until_target_is(&world, "green-1", "unused").await;
    let changes: Vec<_> =
        journal(&world).iter().filter_map(|line| Some(line.rsplit_once(": ")?.1.to_owned())).collect();
    assert_eq!(changes, ["unused → initial", "initial → healthy", "healthy → unused"]);
}

#[tokio::test]
async fn nothing_that_listens_and_silence_are_told_apart() {
    let world = world();
    // Bound, and nobody listens: a port that was let go could be taken by somebody who answers.
    let deaf = tokio::net::TcpSocket::new_v4().expect("a socket");
    deaf.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let address = deaf.local_addr().expect("it is bound");
    let silent = Server::start_sick(|_| Box::pin(std::future::pending())).await;
    world.update(|state| state.target_groups[0].health_check.timeout = Duration::from_millis(100));
    register(&world, BLUE, "gone", address);
    register(&world, BLUE, "silent", silent.address);
    let _alb = balancer(&world).await;
    until_target_is(&world, "gone", "unhealthy").await;
    until_target_is(&world, "silent", "unhealthy").await;
    let of = |task| world.read(|state| health(state, task));
    assert_eq!(of("gone"), Some(Health::Unhealthy(BadAnswer::Broken)));
    assert_eq!(of("silent"), Some(Health::Unhealthy(BadAnswer::Timeout)));
}

/// An hour that is skipped in a fraction of a second must neither pile checks up nor let slow answers count as silence.
#[tokio::test]
async fn a_clock_that_races_neither_piles_checks_up_nor_times_them_out() {
    let world = world();
    let server = Server::start_sick(|_| {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Response::new(Full::default())
        })
    })
    .await;
    register(&world, BLUE, "slow", server.address);
    let _alb = balancer(&world).await;
    until_target_is(&world, "slow", "healthy").await;
    let before = server.asked.lock().expect("no panic").len();
    let begun = Instant::now();
    world.clock.skip(Duration::from_secs(3600), Duration::from_millis(500)).await;
    let checks = server.asked.lock().expect("no panic").len() - before;
    let one_after_the_other = begun.elapsed().as_millis() as usize / 20 + 2;
    assert!((1..=one_after_the_other).contains(&checks), "{checks} checks of 20 ms each within {:?}", begun.elapsed());
    assert_eq!(world.read(|state| health(state, "slow")), Some(Health::Healthy));
}

#[tokio::test]
async fn healthy_and_unhealthy_targets_are_counted_every_minute() {
    let world = world();
    let (well, sick) = (Server::saying(200, "").await, switched(Arc::new(AtomicBool::new(false))).await);
    register(&world, BLUE, "well", well.address);
    register(&world, BLUE, "sick", sick.address);
    let _alb = balancer(&world).await;
    until_target_is(&world, "sick", "unhealthy").await;
    let from = world.now();
    world.clock.sleep(Duration::from_secs(180)).await;
    for (name, expected) in [("HealthyHostCount", 1.0), ("UnHealthyHostCount", 1.0)] {
        let dimensions = [("TargetGroup", "targetgroup/orders-blue/b1"), ("LoadBalancer", "app/orders/a1")];
        let metric = MetricId::new("AWS/ApplicationELB", name, &dimensions);
        let minutes = world.metrics.periods(&metric, from, world.now(), jiff::SignedDuration::from_mins(1));
        assert!(minutes.len() >= 3, "{name}: {minutes:?}");
        let last = minutes.last().and_then(|(_, bucket)| bucket.statistic("Maximum"));
        assert_eq!(last, Some(expected), "{name}");
    }
}

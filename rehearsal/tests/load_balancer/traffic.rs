//! Production traffic: every request is booked, and the access log tells who answered it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::Full;
use hyper::Response;
use rehearsal::alb::AlbHandle;
use rehearsal::cloudwatch;
use rehearsal::ledger::{End, Ledger};
use rehearsal::traffic::{Traffic, TrafficPlan};
use rehearsal::world::World;
use rehearsal::world::alarms::{Alarm, AlarmState, Comparison, MissingData};
use rehearsal::world::metrics::MetricId;

use crate::stage::{
    BLUE, GREEN, PRODUCTION, Server, balancer, deregister, health, journal, port, register, until_target_is, weigh,
    world,
};

fn traffic(world: &Arc<World>, alb: &AlbHandle, ledger: &Ledger) -> Traffic {
    let plan = TrafficPlan { timeout: Duration::from_secs(2), ..TrafficPlan::orders(port(world, PRODUCTION)) };
    Traffic::start(world.clone(), plan, ledger.clone(), alb.access_log())
}

/// Waits until this many requests have been sent in all.
async fn until_sent(ledger: &Ledger, count: usize) {
    while ledger.entries().len() < count {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_is_booked_by_phase_and_colour_and_loses_nothing() {
    let world = world();
    let (blue, green) = (Server::saying(200, "blue").await, Server::saying(200, "green").await);
    weigh(&world, 100, 0);
    register(&world, BLUE, "blue-1", blue.address);
    register(&world, GREEN, "green-1", green.address);
    let alb = balancer(&world).await;
    until_target_is(&world, "blue-1", "healthy").await;
    until_target_is(&world, "green-1", "healthy").await;

    let ledger = Ledger::new();
    let traffic = traffic(&world, &alb, &ledger);
    until_sent(&ledger, 50).await;
    weigh(&world, 90, 10);
    ledger.enter("AllowTraffic");
    until_sent(&ledger, 250).await;
    weigh(&world, 0, 100);
    ledger.enter("AfterAllowTraffic");
    until_sent(&ledger, 300).await;
    deregister(&world, BLUE, "blue-1");
    world.until(|state| health(state, "blue-1").is_none().then_some(())).await;
    blue.kill().await;
    until_sent(&ledger, 400).await;
    traffic.stop().await;
    alb.stop().await;

    let summary = ledger.summary();
    assert_eq!(summary.total.lost, 0, "{summary}");
    assert_eq!(summary.total.blue + summary.total.green, summary.total.sent, "{summary}");
    assert_eq!(summary.phases[0].green, 0, "{summary}");
    let share = summary.phase("AllowTraffic").and_then(|phase| phase.green_share()).expect("there was traffic");
    // Requests under way at a change of weights are of the other phase.
    assert!((0.08..=0.12).contains(&share), "{share}\n{summary}");
    assert!(summary.phase("AfterAllowTraffic").is_some_and(|phase| phase.blue <= 2), "{summary}");
    assert!(ledger.entries().iter().all(|entry| entry.end == End::Status(200)));
    let orders = green.requests().into_iter().filter(|request| request.method == "POST").count();
    assert!(orders > 20, "{orders} orders were placed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn losses_are_told_by_reason_and_side() {
    let world = world();
    let (blue, green) = (Server::saying(200, "blue").await, Server::saying(500, "broken").await);
    weigh(&world, 50, 50);
    register(&world, BLUE, "blue-1", blue.address);
    register(&world, GREEN, "green-1", green.address);
    let alb = balancer(&world).await;
    let ledger = Ledger::new();
    let traffic = traffic(&world, &alb, &ledger);
    until_sent(&ledger, 100).await;
    ledger.enter("green is killed");
    green.kill().await;
    until_sent(&ledger, 150).await;
    ledger.enter("nobody listens");
    drop(alb);
    until_sent(&ledger, 200).await;
    traffic.stop().await;

    let summary = ledger.summary();
    let before = &summary.phases[0];
    let broken = before.losses.get("green answered 500").copied().unwrap_or_default();
    assert!(before.lost >= 45 && broken >= before.lost - 3, "{summary}");
    let killed = summary.phase("green is killed").expect("there was traffic");
    assert!(killed.losses.contains_key("the load balancer answered 502 (sent to green)"), "{summary}");
    let refused = summary.phase("nobody listens").expect("there was traffic");
    assert!(refused.losses.get("connection refused").is_some_and(|count| *count >= 40), "{summary}");
    assert_eq!(summary.total.sent, ledger.entries().len() as u64);
}

/// The way from a user's error to a stopped deployment: 500s of green, its metric, its alarm, and quiet again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alarm_on_greens_errors_fires_and_recovers() {
    let world = world();
    let well = Arc::new(AtomicBool::new(false));
    let answers = well.clone();
    let green = Server::start(move |_| {
        let status = if answers.load(Ordering::SeqCst) { 200 } else { 500 };
        let response = Response::builder().status(status).body(Full::default()).expect("a response");
        Box::pin(async { response })
    })
    .await;
    weigh(&world, 0, 100);
    register(&world, GREEN, "green-1", green.address);
    let dimensions = [("TargetGroup", "targetgroup/orders-green/c2"), ("LoadBalancer", "app/orders/a1")];
    let alarm = Alarm {
        name: "orders-green-5xx".to_owned(),
        metric: MetricId::new("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", &dimensions),
        statistic: "Sum".to_owned(),
        period_minutes: 1,
        evaluation_periods: 1,
        datapoints_to_alarm: 1,
        threshold: 1.0,
        comparison: Comparison::AtLeast,
        missing: MissingData::NotBreaching,
        state: AlarmState::Ok,
        reason: String::new(),
        since: world.now(),
    };
    world.update(|state| state.alarms.push(alarm));
    let alb = balancer(&world).await;
    let judge = tokio::spawn(cloudwatch::run(world.clone()));
    let ledger = Ledger::new();
    let traffic = traffic(&world, &alb, &ledger);
    world.until(|state| (state.alarms[0].state == AlarmState::Alarm).then_some(())).await;
    well.store(true, Ordering::SeqCst);
    world.until(|state| (state.alarms[0].state == AlarmState::Ok).then_some(())).await;
    traffic.stop().await;
    judge.abort();
    let alarms: Vec<_> = journal(&world).into_iter().filter(|line| line.starts_with("CloudWatch")).collect();
    assert!(
        alarms[0].starts_with("CloudWatch: orders-green-5xx: OK → ALARM: Threshold Crossed: 1 datapoint ["),
        "{alarms:?}"
    );
    assert!(alarms[1].starts_with("CloudWatch: orders-green-5xx: ALARM → OK: "), "{alarms:?}");
}

//! Rules, weights, headers, bodies.

use std::collections::BTreeMap;

use http_body_util::{BodyExt, Full};
use hyper::{Request, Response};
use rehearsal::world::load_balancer::{Action, Condition};

use crate::stage::{
    BLUE, GREEN, PRODUCTION, Server, balancer, forward, get, port, register, rule, send, until_target_is, weigh, world,
};

#[tokio::test]
async fn ten_percent_of_fifty_requests_are_exactly_five() {
    let world = world();
    let (blue, green) = (Server::saying(200, "blue").await, Server::saying(200, "green").await);
    weigh(&world, 90, 10);
    register(&world, BLUE, "blue-1", blue.address);
    register(&world, GREEN, "green-1", green.address);
    let _alb = balancer(&world).await;
    until_target_is(&world, "blue-1", "healthy").await;
    until_target_is(&world, "green-1", "healthy").await;
    let mut answers: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..50 {
        *answers.entry(get(port(&world, PRODUCTION), "/").await.body).or_default() += 1;
    }
    assert_eq!(answers, BTreeMap::from([("blue".to_owned(), 45), ("green".to_owned(), 5)]));
}

#[tokio::test]
async fn a_group_of_weight_zero_gets_nothing_and_new_weights_hold_at_once() {
    let world = world();
    let (blue, green) = (Server::saying(200, "blue").await, Server::saying(200, "green").await);
    weigh(&world, 100, 0);
    register(&world, BLUE, "blue-1", blue.address);
    register(&world, GREEN, "green-1", green.address);
    let _alb = balancer(&world).await;
    until_target_is(&world, "green-1", "healthy").await;
    for _ in 0..20 {
        assert_eq!(get(port(&world, PRODUCTION), "/").await.body, "blue");
    }
    weigh(&world, 0, 100);
    // The snapshot follows the change; the requests after it are all of the new weights.
    while get(port(&world, PRODUCTION), "/").await.body != "green" {}
    let before = blue.requests().len();
    for _ in 0..20 {
        assert_eq!(get(port(&world, PRODUCTION), "/").await.body, "green");
    }
    assert_eq!(blue.requests().len(), before);
}

#[tokio::test]
async fn healthy_targets_of_a_group_take_turns() {
    let world = world();
    let (one, other) = (Server::saying(200, "one").await, Server::saying(200, "other").await);
    register(&world, BLUE, "blue-1", one.address);
    register(&world, BLUE, "blue-2", other.address);
    let _alb = balancer(&world).await;
    until_target_is(&world, "blue-1", "healthy").await;
    until_target_is(&world, "blue-2", "healthy").await;
    // The routing may still know only one of them as healthy.
    while get(port(&world, PRODUCTION), "/").await.body == get(port(&world, PRODUCTION), "/").await.body {}
    let (mut ones, before) = (0, one.requests().len());
    for _ in 0..10 {
        ones += u32::from(get(port(&world, PRODUCTION), "/").await.body == "one");
    }
    assert_eq!((ones, one.requests().len() - before), (5, 5));
}

#[tokio::test]
async fn rules_are_tried_in_order_by_host_path_and_header() {
    let world = world();
    let (blue, green) = (Server::saying(200, "blue").await, Server::saying(200, "green").await);
    register(&world, BLUE, "blue-1", blue.address);
    register(&world, GREEN, "green-1", green.address);
    world.update(|state| {
        let of = |text: &str| vec![text.to_owned()];
        let header = Condition::HttpHeader("X-Version".to_owned(), of("green-*"));
        let path = Condition::PathPattern(of("/v2/*"));
        let host = Condition::HostHeader(of("*.internal"));
        let away = Action::FixedResponse { status: 404, body: "not here".to_owned() };
        state.listener_mut(PRODUCTION).expect("the listener").rules = vec![
            rule("1", Some(1), vec![path.clone(), header], forward(&[(GREEN, 1)])),
            rule("2", Some(2), vec![path], forward(&[(BLUE, 1)])),
            rule("3", Some(3), vec![host], forward(&[(GREEN, 1)])),
            rule("4", None, Vec::new(), away),
        ];
    });
    let _alb = balancer(&world).await;
    let port = port(&world, PRODUCTION);
    let ask = |path: &str, host: &str, version: &str| {
        let request = Request::get(path).header("host", host).header("x-version", version).body(Full::default());
        let request = request.expect("a request");
        async move { send(port, request).await.map(|reply| (reply.status, reply.body)).expect("an answer") }
    };
    assert_eq!(ask("/v2/orders", "a.example", "Green-42").await, (200, "green".to_owned()));
    assert_eq!(ask("/v2/orders", "a.example", "blue").await, (200, "blue".to_owned()));
    assert_eq!(ask("/", "orders.internal:80", "").await, (200, "green".to_owned()));
    assert_eq!(ask("/", "a.example", "green-1").await, (404, "not here".to_owned()));
}

#[tokio::test]
async fn a_target_is_told_the_client_and_the_client_the_targets_own_headers() {
    let world = world();
    let blue = Server::saying(201, "made").await;
    register(&world, BLUE, "blue-1", blue.address);
    let _alb = balancer(&world).await;
    let request = Request::post("/orders?x=1")
        .header("host", "orders.example.com")
        .header("x-amzn-trace-id", "Root=1-67891233-abcdef012345678912345678")
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .body(Full::from("{}"))
        .expect("a request");
    let reply = send(port(&world, PRODUCTION), request).await.expect("an answer");
    assert_eq!((reply.status, reply.body.as_str()), (201, "made"));
    assert_eq!(reply.headers["server"], "orders/1");

    let asked = blue.requests().remove(0);
    assert_eq!(asked.uri, "/orders?x=1");
    let headers = asked.headers;
    assert_eq!(headers["host"], "orders.example.com");
    assert_eq!(headers["x-forwarded-for"], "127.0.0.1");
    assert_eq!(headers["x-forwarded-proto"], "http");
    assert_eq!(headers["x-forwarded-port"], port(&world, PRODUCTION).to_string().as_str());
    let trace = headers["x-amzn-trace-id"].to_str().expect("text");
    assert!(trace.starts_with("Self=1-") && trace.ends_with(";Root=1-67891233-abcdef012345678912345678"), "{trace}");
    assert!(!headers.contains_key("x-hop"), "{headers:?}");
}

#[tokio::test]
async fn bodies_of_many_frames_go_both_ways_unchanged() {
    let world = world();
    let echo = Server::start(|request| {
        Box::pin(async move {
            let body = request.into_body().collect().await.expect("the whole body").to_bytes();
            Response::new(Full::new(body))
        })
    })
    .await;
    register(&world, BLUE, "blue-1", echo.address);
    let _alb = balancer(&world).await;
    let sent: String = (0..400_000).map(|number| char::from(b'a' + (number % 26) as u8)).collect();
    let request = Request::post("/echo").header("host", "orders").body(Full::from(sent.clone())).expect("a request");
    let reply = send(port(&world, PRODUCTION), request).await.expect("an answer");
    assert!(reply.body == sent, "{} of {} bytes came back", reply.body.len(), sent.len());
}

//! What the load balancer answers by itself.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::{Request, Response};
use rehearsal::alb::Alb;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::stage::{BLUE, PRODUCTION, Reply, Server, balancer, get, port, register, send, sum, until_target_is, world};

const BALANCER: (&str, &str) = ("LoadBalancer", "app/orders/a1");
const BLUE_GROUP: (&str, &str) = ("TargetGroup", "targetgroup/orders-blue/b1");

fn assert_own_answer(reply: &Reply, status: u16) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.headers["server"], "awselb/2.0");
    assert_eq!(reply.headers["content-type"], "text/html");
    assert!(reply.body.contains(&format!("<h1>{status} ")), "{}", reply.body);
}

#[tokio::test]
async fn an_empty_target_group_is_503_and_no_request_of_any_target() {
    let world = world();
    let _alb = balancer(&world).await;
    assert_own_answer(&get(port(&world, PRODUCTION), "/").await, 503);
    assert_eq!(sum(&world, "HTTPCode_ELB_503_Count", &[BALANCER]), Some(1.0));
    assert_eq!(sum(&world, "HTTPCode_ELB_5XX_Count", &[BALANCER]), Some(1.0));
    assert_eq!(sum(&world, "RequestCount", &[BALANCER]), None, "no target was found for it");
}

#[tokio::test]
async fn a_target_killed_in_the_middle_of_a_request_is_502() {
    let world = world();
    let begun = Arc::new(Notify::new());
    let told = begun.clone();
    let blue = Server::start(move |_| {
        told.notify_one();
        Box::pin(std::future::pending())
    })
    .await;
    register(&world, BLUE, "blue-1", blue.address);
    let _alb = balancer(&world).await;
    let asked = tokio::spawn({
        let port = port(&world, PRODUCTION);
        async move { get(port, "/").await }
    });
    begun.notified().await;
    blue.kill().await;
    assert_own_answer(&asked.await.expect("no panic"), 502);
    assert_eq!(sum(&world, "HTTPCode_ELB_502_Count", &[BALANCER]), Some(1.0));
    assert_eq!(sum(&world, "HTTPCode_Target_5XX_Count", &[BALANCER, BLUE_GROUP]), None, "the target said nothing");
}

#[tokio::test]
async fn a_target_that_refuses_connections_is_502_and_a_connection_error() {
    let world = world();
    let blue = Server::saying(200, "blue").await;
    let address = blue.address;
    blue.kill().await;
    register(&world, BLUE, "blue-1", address);
    let _alb = balancer(&world).await;
    assert_own_answer(&get(port(&world, PRODUCTION), "/").await, 502);
    assert_eq!(sum(&world, "TargetConnectionErrorCount", &[BALANCER, BLUE_GROUP]), Some(1.0));
    assert_eq!(sum(&world, "RequestCount", &[BALANCER, BLUE_GROUP]), Some(1.0));
}

#[tokio::test]
async fn a_target_that_does_not_speak_http_is_502() {
    let world = world();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    register(&world, BLUE, "blue-1", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"220 mail.example.com ESMTP\r\n\r\n").await;
        }
    });
    let _alb = balancer(&world).await;
    assert_own_answer(&get(port(&world, PRODUCTION), "/").await, 502);
}

#[tokio::test]
async fn a_target_that_keeps_silent_is_504_after_the_idle_timeout() {
    let world = world();
    let blue = Server::start(|_| Box::pin(std::future::pending())).await;
    register(&world, BLUE, "blue-1", blue.address);
    let _alb = balancer(&world).await;
    assert_own_answer(&get(port(&world, PRODUCTION), "/").await, 504);
    assert_eq!(sum(&world, "HTTPCode_ELB_504_Count", &[BALANCER]), Some(1.0));
}

#[tokio::test]
async fn a_targets_own_500_is_passed_on_and_counted_as_the_targets() {
    let world = world();
    let blue = Server::saying(500, "broken").await;
    register(&world, BLUE, "blue-1", blue.address);
    let _alb = balancer(&world).await;
    let reply = get(port(&world, PRODUCTION), "/").await;
    assert_eq!(
        (reply.status, reply.body.as_str(), &reply.headers["server"]),
        (500, "broken", &"orders/1".parse().expect("a value"))
    );
    assert_eq!(sum(&world, "HTTPCode_Target_5XX_Count", &[BALANCER, BLUE_GROUP]), Some(1.0));
    assert_eq!(sum(&world, "HTTPCode_Target_5XX_Count", &[BALANCER]), Some(1.0));
    assert_eq!(sum(&world, "HTTPCode_ELB_5XX_Count", &[BALANCER]), None);
    assert!(sum(&world, "TargetResponseTime", &[BALANCER, BLUE_GROUP]).expect("a time") > 0.0);
}

/// hyper answers nonsense before a service sees it; a client must still get the load balancer's own page.
#[tokio::test]
async fn what_is_not_http_is_400() {
    let world = world();
    let _alb = balancer(&world).await;
    for nonsense in ["NOT HTTP AT ALL\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = TcpStream::connect(("127.0.0.1", port(&world, PRODUCTION))).await.expect("it listens");
        stream.write_all(nonsense.as_bytes()).await.expect("it reads");
        stream.shutdown().await.expect("it is open");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers");
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        assert!(answer.contains("awselb/2.0") && answer.contains("<h1>400 Bad Request</h1>"), "{answer}");
    }
}

#[tokio::test]
async fn a_kept_connection_that_the_target_closed_costs_no_request() {
    let world = world();
    let blue = Server::start(|_| {
        let response = Response::builder().header("connection", "close").body(Full::from("bye"));
        Box::pin(async { response.expect("a response") })
    })
    .await;
    register(&world, BLUE, "blue-1", blue.address);
    let _alb = balancer(&world).await;
    for _ in 0..50 {
        assert_eq!(get(port(&world, PRODUCTION), "/").await.status, 200);
    }
}

#[tokio::test]
async fn unhealthy_targets_are_used_when_there_are_no_others() {
    let world = world();
    let sick = Server::start_sick(|_| {
        let response = Response::builder().status(500).body(Full::from("sick"));
        Box::pin(async { response.expect("a response") })
    })
    .await;
    let well = Server::saying(200, "well").await;
    register(&world, BLUE, "sick", sick.address);
    let _alb = balancer(&world).await;
    until_target_is(&world, "sick", "unhealthy").await;
    assert_eq!(get(port(&world, PRODUCTION), "/").await.body, "sick", "fails open");
    register(&world, BLUE, "well", well.address);
    until_target_is(&world, "well", "healthy").await;
    while get(port(&world, PRODUCTION), "/").await.body == "sick" {}
    for _ in 0..10 {
        assert_eq!(get(port(&world, PRODUCTION), "/").await.body, "well");
    }
}

#[tokio::test]
async fn a_port_in_use_is_one_clear_line() {
    let world = world();
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = taken.local_addr().expect("an address").port();
    world.update(|state| state.listener_mut(PRODUCTION).expect("the listener").port = port);
    let error = Alb::start(world).await.err().expect("it cannot start");
    let expected =
        format!("port {port} of the production listener is in use: end what listens there or name another port");
    assert_eq!(format!("{error:#}"), expected);
}

#[tokio::test]
async fn a_stopped_load_balancer_lets_requests_under_way_end() {
    let world = world();
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, waits) = (begun.clone(), go.clone());
    let blue = Server::start(move |_| {
        told.notify_one();
        let waits = waits.clone();
        Box::pin(async move {
            waits.notified().await;
            Response::new(Full::from("done"))
        })
    })
    .await;
    register(&world, BLUE, "blue-1", blue.address);
    let alb = balancer(&world).await;
    let port = port(&world, PRODUCTION);
    let asked = tokio::spawn(async move { get(port, "/").await });
    begun.notified().await;
    let stopped = tokio::spawn(alb.stop());
    // Only a closed port proves that the stop has begun.
    while TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
        tokio::task::yield_now().await;
    }
    go.notify_one();
    assert_eq!(asked.await.expect("no panic").body, "done");
    tokio::time::timeout(Duration::from_secs(5), stopped).await.expect("it ends").expect("no panic");
    let request = Request::get("/").header("host", "a").body(Full::default()).expect("a request");
    send(port, request).await.expect_err("nobody listens any more");
}

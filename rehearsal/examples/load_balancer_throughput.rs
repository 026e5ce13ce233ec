//! How many requests a second the load balancer carries, beside the same target asked directly.
//!
//! Target, load balancer and clients share this process and this machine. `cargo run --example load_balancer_throughput`
#![expect(clippy::print_stdout, reason = "printing figures is what it is for")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rehearsal::alb::Alb;
use rehearsal::clock::Clock;
use rehearsal::world::load_balancer::{
    Action, Health, HealthCheck, Listener, ListenerRole, LoadBalancer, Rule, Target, TargetGroup,
};
use rehearsal::world::{World, ZONES};
use tokio::net::{TcpListener, TcpStream};

/// Keep-alive connections, each with one request at a time.
const CONNECTIONS: usize = 32;
/// What design.md asks for.
const WANTED: f64 = 5_000.0;
const FOR: Duration = Duration::from_secs(4);

#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let target = target().await?;
    let world = Arc::new(World::new(Clock::new()));
    // At real speed, so that health checks are as rare as in reality.
    let _work = world.clock.working();
    let listener = furnish(&world, target);
    let alb = Alb::start(world.clone()).await?;
    let port = world.read(|state| state.listener(&listener).map(|listener| listener.port)).unwrap_or_default();

    println!("{CONNECTIONS} keep-alive connections, {} s each, target and clients in the same process", FOR.as_secs());
    drive(target, Duration::from_millis(500)).await?;
    drive(port, Duration::from_millis(500)).await?;
    let alone = drive(target, FOR).await?;
    println!("target alone           {alone:>9.0} requests/s");
    let balanced = drive(port, FOR).await?;
    println!("through the balancer   {balanced:>9.0} requests/s");
    println!("ratio                  {:>9.2}", balanced / alone);
    println!("asked for              {WANTED:>9.0} requests/s: {}", if balanced >= WANTED { "met" } else { "MISSED" });
    alb.stop().await;
    Ok(())
}

async fn target() -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let service = service_fn(|_: Request<Incoming>| async {
                Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("{\"status\":\"ok\"}")))
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(port)
}

/// A world with one listener, one target group and this target. Returns the listener.
fn furnish(world: &World, target: u16) -> String {
    let now = world.now();
    let group = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/orders/b1".to_owned();
    let balancer = LoadBalancer {
        name: "orders".to_owned(),
        id: "a1".to_owned(),
        dns_name: "127.0.0.1".to_owned(),
        created_at: now,
    };
    let arn = balancer.arn();
    world.update(|state| {
        state.load_balancers.push(balancer);
        state.listeners.push(Listener {
            arn: "listener".to_owned(),
            load_balancer: arn.clone(),
            port: 0,
            role: ListenerRole::Production,
            certificate: None,
            rules: vec![Rule {
                arn: "default".to_owned(),
                priority: None,
                conditions: Vec::new(),
                action: Action::Forward(vec![(group.clone(), 100)]),
            }],
        });
        state.target_groups.push(TargetGroup {
            name: "orders".to_owned(),
            arn: group,
            load_balancer: arn,
            port: 80,
            health_check: HealthCheck {
                path: "/".to_owned(),
                interval: Duration::from_secs(10),
                timeout: Duration::from_secs(5),
                healthy_threshold: 5,
                unhealthy_threshold: 2,
                matcher: "200".to_owned(),
            },
            deregistration_delay: Duration::from_secs(5),
            targets: vec![Target {
                task: "task".to_owned(),
                address: "127.0.0.1".to_owned(),
                port: target,
                zone: ZONES[0],
                health: Health::Initial { checking: false },
                since: now,
                streak: 0,
                in_flight: 0,
            }],
        });
    });
    "listener".to_owned()
}

/// Requests a second that this port answers.
async fn drive(port: u16, time: Duration) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let clients = (0..CONNECTIONS).map(|_| tokio::spawn(ask_until(port, begun + time)));
    let mut answered = 0;
    for client in clients.collect::<Vec<_>>() {
        answered += client.await??;
    }
    Ok(f64::from(answered) / begun.elapsed().as_secs_f64())
}

async fn ask_until(port: u16, end: Instant) -> anyhow::Result<u32> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut answered = 0;
    while Instant::now() < end {
        let request = Request::get("/").header("host", "orders.example.com").body(Empty::<Bytes>::new())?;
        sender.ready().await?;
        let response = sender.send_request(request).await?;
        anyhow::ensure!(response.status().is_success(), "answered {}", response.status());
        response.into_body().collect().await?;
        answered += 1;
    }
    Ok(answered)
}

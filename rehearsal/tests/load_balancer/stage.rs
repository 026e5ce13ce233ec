//! A world with two target groups behind two listeners, targets that are real servers, and a client.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rehearsal::alb::{Alb, AlbHandle, Settings};
use rehearsal::clock::Clock;
use rehearsal::world::deployment_configuration::Controller;
use rehearsal::world::load_balancer::{
    Action, Condition, Health, HealthCheck, Listener, ListenerRole, LoadBalancer, Rule, Target, TargetGroup,
};
use rehearsal::world::metrics::MetricId;
use rehearsal::world::services::{Colour, Service, Task, TaskSet, TaskSetStatus, TaskStatus};
use rehearsal::world::{State, World, ZONES};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(crate) const BLUE: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/orders-blue/b1";
pub(crate) const GREEN: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/orders-green/c2";
pub(crate) const PRODUCTION: &str = "listener/production";
pub(crate) const TEST: &str = "listener/test";

/// A world whose production and test listener forward to blue, with no targets yet.
pub(crate) fn world() -> Arc<World> {
    let world = Arc::new(World::new(Clock::new()));
    let now = world.now();
    world.update(|state| {
        let balancer = LoadBalancer {
            name: "orders".to_owned(),
            id: "a1".to_owned(),
            dns_name: "127.0.0.1".to_owned(),
            created_at: now,
        };
        let arn = balancer.arn();
        state.load_balancers.push(balancer);
        for (name, group) in [("orders-blue", BLUE), ("orders-green", GREEN)] {
            state.target_groups.push(TargetGroup {
                name: name.to_owned(),
                arn: group.to_owned(),
                load_balancer: arn.clone(),
                port: 80,
                health_check: HealthCheck {
                    path: "/health".to_owned(),
                    interval: Duration::from_secs(10),
                    timeout: Duration::from_secs(5),
                    healthy_threshold: 5,
                    unhealthy_threshold: 3,
                    matcher: "200".to_owned(),
                },
                deregistration_delay: Duration::from_secs(60),
                targets: Vec::new(),
            });
        }
        for (listener, role) in [(PRODUCTION, ListenerRole::Production), (TEST, ListenerRole::Test)] {
            state.listeners.push(Listener {
                arn: listener.to_owned(),
                load_balancer: arn.clone(),
                port: 0,
                role,
                certificate: None,
                rules: vec![rule("default", None, Vec::new(), forward(&[(BLUE, 100)]))],
            });
        }
        let task_sets = [(Colour::Blue, BLUE), (Colour::Green, GREEN)].map(|(colour, group)| TaskSet {
            id: format!("ecs-svc/{colour}"),
            task_definition: "orders:1".to_owned(),
            status: TaskSetStatus::Active,
            desired: 1,
            target_group: group.to_owned(),
            external_id: None,
            created_at: now,
            steady: true,
            stability_at: now,
            colour,
        });
        state.services.push(Service {
            cluster: "shop".to_owned(),
            name: "orders".to_owned(),
            desired_count: 1,
            health_check_grace_period: Duration::ZERO,
            container_name: "app".to_owned(),
            container_port: 80,
            created_at: now,
            controller: Controller::CodeDeploy,
            task_sets: task_sets.into(),
        });
    });
    world
}

pub(crate) fn rule(arn: &str, priority: Option<u32>, conditions: Vec<Condition>, action: Action) -> Rule {
    Rule { arn: arn.to_owned(), priority, conditions, action }
}

pub(crate) fn forward(groups: &[(&str, u32)]) -> Action {
    Action::Forward(groups.iter().map(|(group, weight)| ((*group).to_owned(), *weight)).collect())
}

/// Lets the production listener's default rule forward by these weights.
pub(crate) fn weigh(world: &World, blue: u32, green: u32) {
    world.update(|state| {
        let listener = state.listener_mut(PRODUCTION).expect("the world has a production listener");
        listener.rules.last_mut().expect("a default rule").action = forward(&[(BLUE, blue), (GREEN, green)]);
    });
}

/// The load balancer of this world, with an idle timeout that tests can wait for.
pub(crate) async fn balancer(world: &Arc<World>) -> AlbHandle {
    let settings = Settings { idle_timeout: Duration::from_millis(300) };
    Alb::start_with(world.clone(), settings).await.expect("free ports are free")
}

pub(crate) fn port(world: &World, listener: &str) -> u16 {
    world.read(|state| state.listener(listener).expect("the listener").port)
}

type Answering = Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send>>;

/// A server on loopback that remembers what it was asked.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) asked: Arc<Mutex<Vec<http::request::Parts>>>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Answers by this function; `/health` with 200 without asking it.
    pub(crate) async fn start(answer: impl Fn(Request<Incoming>) -> Answering + Send + Sync + 'static) -> Self {
        Self::start_sick(move |request| match request.uri().path() {
            "/health" => Box::pin(async { Response::new(Full::default()) }),
            _ => answer(request),
        })
        .await
    }

    /// Answers everything by this function.
    pub(crate) async fn start_sick(answer: impl Fn(Request<Incoming>) -> Answering + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let asked: Arc<Mutex<Vec<http::request::Parts>>> = Arc::default();
        let answer = Arc::new(answer);
        let remembered = asked.clone();
        let accepting = tokio::spawn(async move {
            // Dropped with this task: then every connection is cut, as when a process is killed.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, remembered) = (answer.clone(), remembered.clone());
                connections.spawn(async move {
                    let service = service_fn(move |request: Request<Incoming>| {
                        let (parts, body) = request.into_parts();
                        remembered.lock().expect("no panic").push(parts.clone());
                        let answering = answer(Request::from_parts(parts, body));
                        async move { Ok::<_, std::convert::Infallible>(answering.await) }
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { address, asked, accepting }
    }

    /// Answers every request with this status and text.
    pub(crate) async fn saying(status: u16, text: &'static str) -> Self {
        Self::start(move |_| {
            let mut response = Response::new(Full::from(text));
            *response.status_mut() = StatusCode::from_u16(status).expect("a status code");
            response.headers_mut().insert("server", http::HeaderValue::from_static("orders/1"));
            Box::pin(async { response })
        })
        .await
    }

    /// Closes the port and cuts every connection.
    pub(crate) async fn kill(self) {
        self.accepting.abort();
        let _ = self.accepting.await;
    }

    /// Requests other than health checks.
    pub(crate) fn requests(&self) -> Vec<http::request::Parts> {
        let asked = self.asked.lock().expect("no panic");
        asked.iter().filter(|request| request.uri.path() != "/health").cloned().collect()
    }
}

/// Registers a server as a task's target, as the scheduler does.
pub(crate) fn register(world: &World, group: &str, task: &str, address: SocketAddr) {
    let now = world.now();
    let colour = if group == BLUE { Colour::Blue } else { Colour::Green };
    world.update(|state| {
        state.tasks.push(Task {
            id: task.to_owned(),
            cluster: "shop".to_owned(),
            service: "orders".to_owned(),
            task_set: format!("ecs-svc/{colour}"),
            task_definition: "orders:1".to_owned(),
            status: TaskStatus::Running,
            stop_wanted: None,
            zone: ZONES[0],
            port: Some(address.port()),
            created_at: now,
            started_at: Some(now),
            stopped_at: None,
            stopped: None,
            exit_code: None,
            last_lines: Vec::new(),
            one_off: None,
        });
        let used = state.is_in_use(group);
        state.target_group_mut(group).expect("the group").targets.push(Target {
            task: task.to_owned(),
            address: address.ip().to_string(),
            port: address.port(),
            zone: ZONES[0],
            health: if used { Health::Initial { checking: false } } else { Health::Unused },
            since: now,
            streak: 0,
            in_flight: 0,
        });
    });
}

/// Begins to drain a target, as the scheduler does.
pub(crate) fn deregister(world: &World, group: &str, task: &str) {
    let now = world.now();
    world.update(|state| {
        let target = state.target_mut(group, task).expect("the target is registered");
        target.health = Health::Draining;
        target.since = now;
    });
}

pub(crate) fn health(state: &State, task: &str) -> Option<Health> {
    let targets = state.target_groups.iter().flat_map(|group| &group.targets);
    targets.filter(|target| target.task == task).map(|target| target.health.clone()).next()
}

/// Waits until a task's target has this state.
pub(crate) async fn until_target_is(world: &World, task: &str, wanted: &str) {
    let reached = world.until(|state| (health(state, task)?.state() == wanted).then_some(()));
    let reached = tokio::time::timeout(Duration::from_secs(20), reached).await;
    assert!(reached.is_ok(), "{task} is {:?}, not {wanted}", world.read(|state| health(state, task)));
}

/// What the journal says, in order.
pub(crate) fn journal(world: &World) -> Vec<String> {
    world.read(|state| state.journal.entries.iter().map(|entry| format!("{}: {}", entry.who, entry.text)).collect())
}

/// The sum of a metric over all that was counted.
pub(crate) fn sum(world: &World, name: &str, dimensions: &[(&str, &str)]) -> Option<f64> {
    let metric = MetricId::new("AWS/ApplicationELB", name, dimensions);
    let from = world.now() - jiff::SignedDuration::from_hours(100);
    let to = world.now() + jiff::SignedDuration::from_hours(1);
    let buckets = world.metrics.periods(&metric, from, to, jiff::SignedDuration::from_hours(200));
    buckets.first()?.1.statistic("Sum")
}

/// An answer that was read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
}

/// Sends a request on a connection of its own.
pub(crate) async fn send(port: u16, request: Request<Full<Bytes>>) -> anyhow::Result<Reply> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let (parts, body) = response.into_parts();
    let body = String::from_utf8(body.collect().await?.to_bytes().to_vec())?;
    Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, body })
}

/// `GET`s a path of `orders.example.com`.
pub(crate) async fn get(port: u16, path: &str) -> Reply {
    let request = Request::get(path).header("host", "orders.example.com").body(Full::default()).expect("a request");
    send(port, request).await.expect("the load balancer answers")
}

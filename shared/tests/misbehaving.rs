//! Requests to servers that misbehave, over real sockets: each ends in a row that says why, in time, whatever is sent.

#[path = "misbehaving/server.rs"]
mod server;

use std::sync::Arc;
use std::time::{Duration, Instant};

use greenlight::check::{Check, CheckContext};
use greenlight::checks::{GreenAnswers, LoadHolds, RequestsPass};
use greenlight::deadline::Deadline;
use greenlight::deployment::{Deployment, DeploymentId};
use greenlight::fakes::{Fakes, GREEN_GROUP, TEST_LISTENER, deployment, forward, listener};
use greenlight::http::Http;
use greenlight::kept::Kept;
use greenlight::plan::Plan;
use greenlight::ports::{Caller, World};
use greenlight::run::{Asked, Stopped, ask_all};
use greenlight::stage::Stage;
use tokio::sync::SetOnce;

use server::{Authority, Behaviour, Server};

/// Time for questions: half of what is given, for the other half is kept for the answer.
const QUESTIONS: Duration = Duration::from_secs(2);

/// Asks the checks about green behind this server, as the hook does, and renders the rows.
async fn rows(server: &Server, plan: &str, make: fn(&Plan) -> Box<dyn Check>) -> String {
    rows_within(QUESTIONS, server, plan, make).await
}

async fn rows_within(questions: Duration, server: &Server, plan: &str, make: fn(&Plan) -> Box<dyn Check>) -> String {
    let plan = Plan::parse(&format!("version: 1\n{plan}"), "plan.yaml").expect("a plan");
    let fakes = Fakes::well();
    let mut test = listener(TEST_LISTENER, server.port, vec![forward(&[(GREEN_GROUP, 100)])]);
    test.protocol = if server.is_encrypted { "HTTPS" } else { "HTTP" }.to_owned();
    test.load_balancer.dns_name = "127.0.0.1".to_owned();
    fakes.state().listeners[1] = test.clone();
    let caller = Caller { hook: "after-allow-test-traffic", deployment: DeploymentId("d-3QX9ZK2LE".to_owned()) };
    let probe = Arc::new(Http::new(server.roots()).probe(&caller));
    let ports = World { load: probe.clone(), probe, ..fakes.world() }.into();
    let context = CheckContext {
        deployment: Arc::new(Deployment { test: Some(test), ..deployment() }),
        deadline: Deadline::after(questions * 2),
        ports,
        ..fakes.context(Stage::AfterAllowTestTraffic)
    };
    let known = SetOnce::new_with(Some(plan.clone()));
    let started = Instant::now();
    let rows = ask_all(&[make(&plan)], &context, &known, &Stopped::default(), &Kept::anew()).await;
    let took = started.elapsed();
    assert!(took < questions + Duration::from_secs(1), "it took {took:?}");
    rows.iter()
        .map(|Asked { row, .. }| format!("{}: {}", row.outcome.label(), row.evidence))
        .collect::<Vec<_>>()
        .join("\n")
}

fn requests(plan: &Plan) -> Box<dyn Check> {
    Box::new(RequestsPass::on_test(plan))
}

const JSON: &str = "test_traffic: { requests: [{ get: /ready, expect: { json: { $.status: ready } } }] }";

#[tokio::test]
async fn a_target_that_never_answers() {
    let server = Server::start(Behaviour::Silent);
    let told = rows(&server, JSON, requests).await;
    assert_eq!(told, "CANNOT TELL: no answer in 2 s");
}

#[tokio::test]
async fn a_target_that_answers_with_garbage() {
    let server = Server::start(Behaviour::Says(b"SSH-2.0-OpenSSH_9.2\r\n\xff\xfe\x00garbage\r\n\r\n"));
    let told = rows(&server, JSON, requests).await;
    assert!(
        told.starts_with("NOT YET: GET /ready got no answer: the connection broke: invalid HTTP version"),
        "{told}"
    );
}

#[tokio::test]
async fn a_head_without_end() {
    let server = Server::start(Behaviour::EndlessHead);
    let told = rows(&server, JSON, requests).await;
    assert!(told.starts_with("NOT YET: GET /ready got no answer: the connection broke: "), "{told}");
}

#[tokio::test]
async fn a_body_without_end_is_read_to_its_limit() {
    let server = Server::start(Behaviour::EndlessBody { packed: false });
    let status = rows(&server, "test_traffic: { requests: [{ get: /ready }] }", requests).await;
    assert!(status.starts_with("PASSED: 1 request passed"), "{status}");
    let json = rows(&server, JSON, requests).await;
    assert!(json.starts_with("FAILED: GET /ready answered 200 with a body too long to read: \"xxxx"), "{json}");
    assert!(json.len() < 400, "{json}");
    assert!(server.sent() < 64 * 1024 * 1024, "{} bytes were taken", server.sent());
}

#[tokio::test]
async fn a_gzip_bomb_is_not_unpacked() {
    let server = Server::start(Behaviour::EndlessBody { packed: true });
    let told = rows(&server, JSON, requests).await;
    assert_eq!(told, "FAILED: GET /ready answered 200 with a body in gzip, which was not asked for and is not read");
}

#[tokio::test]
async fn redirects_in_a_circle() {
    let server = Server::start(Behaviour::Redirecting);
    let following = "test_traffic: { requests: [{ get: /0, follow_redirects: 10 }] }";
    let told = rows(&server, following, requests).await;
    assert!(told.ends_with("expected 2xx; the redirects lead in a circle of 3"), "{told}");
}

#[tokio::test]
async fn a_connection_that_is_closed_at_once() {
    let server = Server::start(Behaviour::Says(b""));
    let told = rows(&server, JSON, requests).await;
    assert!(told.starts_with("NOT YET: GET /ready got no answer: the connection broke: "), "{told}");
}

#[tokio::test]
async fn a_listener_that_was_deleted_meanwhile() {
    let fakes = Fakes::well();
    fakes.state().listeners.clear();
    let plan = SetOnce::new_with(Some(Plan::defaults()));
    let checks: Vec<Box<dyn Check>> = vec![Box::new(GreenAnswers::from_plan(&Plan::defaults()))];
    let rows =
        ask_all(&checks, &fakes.context(Stage::AfterAllowTestTraffic), &plan, &Stopped::default(), &Kept::anew()).await;
    assert!(rows[0].row.evidence.ends_with(": there is no such listener"), "{}", rows[0].row.evidence);
    assert!(rows[0].row.evidence.starts_with("listener arn:"), "{}", rows[0].row.evidence);
}

const HOST: &str = "test_traffic: { host: orders.example.com, requests: [{ get: /ready }] }";

async fn over_tls(authority: &Authority, name: &str, days: std::ops::Range<i64>, trusted: bool) -> String {
    let server = Server::encrypted(authority, name, days, trusted);
    rows(&server, HOST, requests).await
}

/// The address is 127.0.0.1; what is verified is the name that is sent.
#[tokio::test]
async fn a_certificate_is_verified_for_the_name_that_is_sent() {
    let authority = Authority::new();
    let told = over_tls(&authority, "orders.example.com", -1..90, true).await;
    assert!(told.starts_with("PASSED: 1 request passed on HTTPS"), "{told}");
}

#[tokio::test]
async fn an_invalid_certificate_is_a_row_with_the_reason() {
    let authority = Authority::new();
    let expired = over_tls(&authority, "orders.example.com", -90..-1, true).await;
    assert!(expired.contains("certificate expired"), "{expired}");
    let other = over_tls(&authority, "shop.example.com", -1..90, true).await;
    assert!(other.contains("not valid for name \"orders.example.com\""), "{other}");
    let unknown = over_tls(&authority, "orders.example.com", -1..90, false).await;
    assert!(unknown.contains("UnknownIssuer"), "{unknown}");
    for told in [expired, other, unknown] {
        assert!(
            told.starts_with("NOT YET: GET /ready got no answer: no connection: invalid peer certificate"),
            "{told}"
        );
    }
}

fn load(plan: &Plan) -> Box<dyn Check> {
    Box::new(LoadHolds::from_plan(plan).expect("it has a load"))
}

const LOAD: &str = "test_traffic:\n  green: { header: x-version, equals: \"42\", get: /ready }\n  \
                    requests: [{ name: ready, get: /ready }]\n  load: { rate: 500/s, for: 400ms, expect: { errors: \"<= 1%\", p99: \"< 300ms\" } }\n";

#[tokio::test]
async fn a_load_reuses_its_connections() {
    let server = Server::start(Behaviour::Well);
    let told = rows_within(3 * QUESTIONS, &server, LOAD, load).await;
    assert!(told.starts_with("PASSED: 200 requests at 500/s for 400ms: 0 failed (0.00 %, expected <= 1%)"), "{told}");
    assert_eq!(server.requests(), 10 + 1 + 200);
    assert!(server.connections() < 100, "{} connections", server.connections());
}

/// After what it takes to see that it works, it closes every connection.
#[tokio::test]
async fn a_load_on_a_target_that_dies_ends_early() {
    let server = Server::start(Behaviour::DiesAfter(11 + 50));
    let told = rows_within(3 * QUESTIONS, &server, LOAD, load).await;
    assert!(told.starts_with("FAILED: stopped for certain after "), "{told}");
}

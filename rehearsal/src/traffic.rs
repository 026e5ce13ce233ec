//! Production traffic: users who come at a steady rate, whether or not others have been answered.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::alb::access_log::AccessLog;
use crate::alb::connections::{Connections, SendError};
use crate::alb::forwarded::TRACE_ID;
use crate::clock::PaceGuard;
use crate::ledger::{End, Ledger};
use crate::world::World;

mod invocations;

pub use invocations::InvocationPlan;

/// How long the access log may take, after the last answer, to tell who gave it.
const JOINS_WITHIN: Duration = Duration::from_secs(2);

/// What users ask, and how often.
#[derive(Clone, Debug)]
pub struct TrafficPlan {
    /// Port of the production listener.
    pub port: u16,
    /// The host users ask for.
    pub host: String,
    /// How they connect to an HTTPS listener.
    pub tls: Option<Arc<ClientConfig>>,
    /// Requests a second of real time.
    pub rate: u32,
    /// What they ask, one after the other, over and over.
    pub requests: Vec<PlannedRequest>,
    /// A user's patience, real time.
    pub timeout: Duration,
}

/// One request.
#[derive(Clone, Debug)]
pub struct PlannedRequest {
    /// Method.
    pub method: Method,
    /// Path and query.
    pub path: Uri,
    /// A JSON body; none when empty.
    pub body: Bytes,
}

impl TrafficPlan {
    /// Users of the sample service: three look for each one that orders, 200 a second, with ten seconds' patience.
    pub fn orders(port: u16) -> Self {
        let get = |path| PlannedRequest { method: Method::GET, path: Uri::from_static(path), body: Bytes::new() };
        let order = PlannedRequest {
            method: Method::POST,
            path: Uri::from_static("/orders"),
            body: Bytes::from_static(b"{\"sku\":\"A1\",\"quantity\":1}"),
        };
        Self {
            port,
            host: "orders.example.com".to_owned(),
            tls: None,
            rate: 200,
            requests: vec![get("/orders"), order, get("/orders"), get("/version")],
            timeout: Duration::from_secs(10),
        }
    }
}

/// Traffic that flows. Dropped, it ends at once; [`Traffic::stop`] lets what is under way end first.
pub struct Traffic {
    stop: Option<oneshot::Sender<()>>,
    flow: JoinHandle<()>,
    joining: JoinHandle<()>,
    ledger: Ledger,
}

impl Traffic {
    /// Sends requests from now on and books every one of them.
    pub fn start(world: Arc<World>, plan: TrafficPlan, ledger: Ledger, access_log: &AccessLog) -> Self {
        let mut told = access_log.follow();
        let joining = tokio::spawn({
            let ledger = ledger.clone();
            async move {
                while let Some(entry) = told.recv().await {
                    ledger.join(&entry);
                }
            }
        });
        let users = Arc::new(Users::new(&plan, ledger.clone()));
        let requests = plan.requests;
        let send = {
            let world = Arc::clone(&world);
            move |sent: usize| {
                let request = requests.get(sent % requests.len().max(1)).cloned();
                let (users, world) = (Arc::clone(&users), Arc::clone(&world));
                async move {
                    if let Some(request) = request {
                        users.send(&world, request).await;
                    }
                }
            }
        };
        let (stop, stopped) = oneshot::channel();
        let flow = tokio::spawn(flow(world, plan.rate, send, stopped));
        Self { stop: Some(stop), flow, joining, ledger }
    }

    /// Sends no more, and waits until every request has ended and the access log has told who answered it.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        if let Err(error) = (&mut self.flow).await {
            tracing::error!("the traffic ended early: {error}");
        }
        let unknown = self.ledger.settled(JOINS_WITHIN).await;
        if unknown > 0 {
            tracing::warn!("of {unknown} requests the access log has not told who answered them");
        }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.flow.abort();
        self.joining.abort();
    }
}

/// Opens the loop: the nth request is sent at its time, whatever became of those before it.
async fn flow<F>(world: Arc<World>, rate: u32, send: impl Fn(usize) -> F, mut stopped: oneshot::Receiver<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    if rate == 0 {
        return;
    }
    let mut under_way = JoinSet::new();
    let mut pace = KeepUp::new(&world, rate);
    let begun = Instant::now();
    for sent in 0_usize.. {
        let due = begun + Duration::from_secs_f64(sent as f64 / f64::from(rate));
        tokio::select! {
            biased;
            _ = &mut stopped => break,
            () = tokio::time::sleep_until(due) => {}
        }
        pace.look(due.elapsed(), under_way.len());
        under_way.spawn(send(sent));
        while under_way.try_join_next().is_some() {}
    }
    while under_way.join_next().await.is_some() {}
}

/// Holds the world's clock at real speed while this machine cannot keep up with its own users: on a busy machine a step of
/// the deployment must not be over before anybody has sent a request in it.
struct KeepUp<'a> {
    world: &'a World,
    /// Requests under way that are too many for answers that take milliseconds.
    many: usize,
    held: Option<(PaceGuard, Instant)>,
}

/// A request this late means that the machine is busy.
const LATE: Duration = Duration::from_millis(25);
/// Longer than this it is the service that is slow, and not the machine.
const HELD_AT_MOST: Duration = Duration::from_secs(1);

impl<'a> KeepUp<'a> {
    fn new(world: &'a World, rate: u32) -> Self {
        Self { world, many: (rate as usize / 10).max(8), held: None }
    }

    fn look(&mut self, late: Duration, under_way: usize) {
        if late <= LATE && under_way <= self.many {
            self.held = None;
            return;
        }
        match &mut self.held {
            None => self.held = Some((self.world.clock.working(), Instant::now())),
            Some((_, since)) if late <= LATE && since.elapsed() > HELD_AT_MOST => self.many = usize::MAX,
            Some(_) => {}
        }
    }
}

/// Users' clients: they keep their connections, as browsers and other services do.
struct Users {
    connections: Connections<Full<Bytes>>,
    host: HeaderValue,
    patience: Duration,
    ledger: Ledger,
}

impl Users {
    fn new(plan: &TrafficPlan, ledger: Ledger) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, plan.port));
        let name = ServerName::try_from(plan.host.clone()).ok();
        let connections = match plan.tls.clone().zip(name) {
            Some((config, name)) => Connections::over_tls(address, TlsConnector::from(config), name),
            None => Connections::new(address),
        };
        Self {
            connections,
            host: HeaderValue::from_str(&plan.host).unwrap_or(HeaderValue::from_static("localhost")),
            patience: plan.timeout,
            ledger,
        }
    }

    async fn send(&self, world: &World, planned: PlannedRequest) {
        let ticket = self.ledger.book(world.now());
        let mut request = Request::new(Full::new(planned.body.clone()));
        *request.method_mut() = planned.method;
        *request.uri_mut() = planned.path;
        request.headers_mut().insert(HOST, self.host.clone());
        if let Ok(trace_id) = HeaderValue::from_str(&ticket.trace_id) {
            request.headers_mut().insert(TRACE_ID, trace_id);
        }
        if !planned.body.is_empty() {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let begun = Instant::now();
        let end = tokio::time::timeout(self.patience, self.exchange(request)).await.unwrap_or(End::TimedOut);
        self.ledger.close(ticket, end, begun.elapsed());
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> End {
        let (response, connection) = match self.connections.send(request).await {
            Ok(answered) => answered,
            Err(SendError::Connect(..)) => return End::Refused,
            Err(SendError::Broken(_)) => return End::Reset,
        };
        let status = response.status().as_u16();
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            if frame.is_err() {
                return End::Reset;
            }
        }
        self.connections.put_back(connection);
        End::Status(status)
    }
}

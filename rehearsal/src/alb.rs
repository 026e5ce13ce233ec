//! A real load balancer on loopback: HTTP/1.1 listeners, rules, weights, health checks, draining, metrics.
//!
//! It reads what to do from the world and writes back what it sees: health, metrics, the journal. The way of a request
//! never takes the world's lock: it reads a snapshot that is rebuilt at every change (`routing`), and counts in series
//! of its own (`measure`). In reading order:

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::certificates;
use crate::world::World;
use crate::world::load_balancer::{Listener, ListenerRole, load_balancer_dimension};

pub mod access_log;
mod answers;
mod conditions;
pub(crate) mod connections;
mod draining;
pub(crate) mod forwarded;
mod health;
mod keeper;
mod measure;
pub mod metrics;
mod proxy;
mod relay;
mod routing;
mod socket;
mod wheel;

use access_log::AccessLog;
use measure::LoadBalancerSeries;
use proxy::{Front, Proxy};
use routing::Router;
use socket::Socket;

/// How long a client may take to agree on how to encrypt.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long requests under way may take to end when the load balancer is stopped.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// What can be set about the load balancer.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Real time without a byte from a target until the load balancer gives up on it: 504. AWS's default is 60 s.
    pub idle_timeout: Duration,
}

impl Settings {
    /// As AWS sets it.
    pub const AWS: Self = Self { idle_timeout: Duration::from_secs(60) };
}

/// The load balancer.
pub struct Alb;

/// A running load balancer. Dropped, it ends at once; [`AlbHandle::stop`] lets requests under way end first.
pub struct AlbHandle {
    stopping: watch::Sender<bool>,
    fronts: JoinSet<()>,
    /// Ends them when it is dropped.
    _actors: JoinSet<()>,
    access_log: AccessLog,
}

impl Alb {
    /// Binds every listener of the world on 127.0.0.1 and serves. A listener without a port gets a free one, which is
    /// written into the world.
    pub async fn start(world: Arc<World>) -> anyhow::Result<AlbHandle> {
        Self::start_with(world, Settings::AWS).await
    }

    /// As [`Alb::start`], with settings.
    pub async fn start_with(world: Arc<World>, settings: Settings) -> anyhow::Result<AlbHandle> {
        let listeners = world.read(|state| state.listeners.clone());
        let mut bound = Vec::new();
        for listener in listeners {
            bound.push((bind(&listener).await?, listener));
        }
        let mut fronts = Vec::new();
        for (socket, listener) in bound {
            let port = socket.local_addr().context("a bound listener has no address")?.port();
            world.update(|state| {
                if let Some(listener) = state.listener_mut(&listener.arn) {
                    listener.port = port;
                }
            });
            let series = LoadBalancerSeries::new(&world.metrics, load_balancer_dimension(&listener.load_balancer));
            let tls = listener.certificate.as_ref().map(certificates::acceptor).transpose();
            let tls = tls.context("a listener's certificate cannot be used")?;
            let scheme = if tls.is_some() { "https" } else { "http" };
            fronts.push((socket, tls, Front { listener: listener.arn, role: listener.role, port, scheme, series }));
        }

        let access_log = AccessLog::default();
        let router = Arc::new(Router::new(&world));
        let proxy = Arc::new(Proxy::new(world.clone(), router.clone(), access_log.clone(), settings));
        let mut actors = JoinSet::new();
        actors.spawn(keeper::run(world.clone(), router));
        actors.spawn(measure::count_hosts(world));

        let stopping = watch::Sender::new(false);
        let mut serving = JoinSet::new();
        for (socket, tls, front) in fronts {
            serving.spawn(accept(socket, tls, Arc::new(front), proxy.clone(), stopping.subscribe()));
        }
        Ok(AlbHandle { stopping, fronts: serving, _actors: actors, access_log })
    }
}

impl AlbHandle {
    /// Every request it has answered, as it ends.
    pub fn access_log(&self) -> &AccessLog {
        &self.access_log
    }

    /// Takes no more connections, lets requests under way end, for ten seconds at most, and ends.
    pub async fn stop(mut self) {
        self.stopping.send_replace(true);
        let ended = async { while self.fronts.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_GRACE, ended).await.is_err() {
            tracing::warn!("requests were still under way after {STOP_GRACE:?}; their connections are cut");
        }
    }
}

async fn bind(listener: &Listener) -> anyhow::Result<TcpListener> {
    let role = match listener.role {
        ListenerRole::Production => "production",
        ListenerRole::Test => "test",
    };
    let port = listener.port;
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            anyhow::anyhow!("port {port} of the {role} listener is in use: end what listens there or name another port")
        }
        _ => anyhow::Error::new(error).context(format!("the {role} listener cannot listen on 127.0.0.1:{port}")),
    })
}

/// Takes connections until told to stop, then waits for those that are open.
async fn accept(
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
    front: Arc<Front>,
    proxy: Arc<Proxy>,
    stopping: watch::Receiver<bool>,
) {
    let mut open = JoinSet::new();
    let stop = told(stopping.clone());
    tokio::pin!(stop);
    loop {
        tokio::select! {
            accepted = socket.accept() => match accepted {
                Ok((stream, client)) => {
                    // Without it small answers wait for the client's acknowledgement.
                    let _ = stream.set_nodelay(true);
                    let (front, proxy, stopping) = (front.clone(), proxy.clone(), stopping.clone());
                    match tls.clone() {
                        None => open.spawn(serve(stream, client, front, proxy, stopping)),
                        Some(tls) => open.spawn(async move {
                            match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
                                Ok(Ok(stream)) => serve(stream, client, front, proxy, stopping).await,
                                Ok(Err(error)) => tracing::debug!("no TLS with a client of port {}: {error}", front.port),
                                Err(_) => tracing::debug!("a client of port {} never finished its handshake", front.port),
                            }
                        }),
                    };
                }
                // Too many open files, for example: the next accept would fail at once as well.
                Err(error) => {
                    tracing::warn!("port {} took no connection: {error}", front.port);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            },
            Some(_) = open.join_next() => {}
            () = &mut stop => break,
        }
    }
    drop(socket);
    while open.join_next().await.is_some() {}
}

async fn serve<S>(stream: S, client: SocketAddr, front: Arc<Front>, proxy: Arc<Proxy>, stopping: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let served = Arc::new(AtomicU64::new(0));
    let service = service_fn(|request| {
        served.fetch_add(1, Ordering::Release);
        let (front, proxy) = (front.clone(), proxy.clone());
        async move { Ok::<_, std::convert::Infallible>(proxy.serve(front, client, request).await) }
    });
    let connection = http1::Builder::new().serve_connection(Socket::new(stream, served.clone()), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told(stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        if error.is_parse() {
            proxy.refused(&front);
        }
        tracing::debug!("a client's connection to port {} ended early: {error}", front.port);
    }
}

/// Waits until the load balancer is told to stop, or is gone.
async fn told(mut stopping: watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}

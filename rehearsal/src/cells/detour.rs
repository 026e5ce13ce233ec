//! What stands between a hook and the service or its database, and strikes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::cut::{Cut, Sent};

/// How late what is slow comes.
const SLOW: Duration = Duration::from_millis(1500);

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words say it")]
pub enum RequestFault {
    /// Nobody listens; this is of all requests.
    Refused,
    Reset,
    Throttled,
    ServerError,
    Forbidden,
    /// 401, as for a token that has expired.
    Expired,
    Malformed,
    Truncated,
    WrongType,
    Empty,
    Slow,
    Never,
}

impl RequestFault {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Refused,
        Self::Reset,
        Self::Throttled,
        Self::ServerError,
        Self::Forbidden,
        Self::Expired,
        Self::Malformed,
        Self::Truncated,
        Self::WrongType,
        Self::Empty,
        Self::Slow,
        Self::Never,
    ];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "a refused connection",
            Self::Reset => "a reset connection",
            Self::Throttled => "429",
            Self::ServerError => "500",
            Self::Forbidden => "403",
            Self::Expired => "401",
            Self::Malformed => "garbage",
            Self::Truncated => "half an answer",
            Self::WrongType => "a wrong content type",
            Self::Empty => "an empty answer",
            Self::Slow => "a late answer",
            Self::Never => "no answer",
        }
    }
}

/// What happens to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words say it")]
pub enum StreamFault {
    /// Nobody listens; this is of the first message only.
    Refused,
    Reset,
    /// The server answers with what is nothing of its protocol.
    Malformed,
    /// Half of the message gets through.
    Truncated,
    Slow,
    Never,
}

impl StreamFault {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Refused, Self::Reset, Self::Malformed, Self::Truncated, Self::Slow, Self::Never];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "a refused connection",
            Self::Reset => "a reset connection",
            Self::Malformed => "garbage",
            Self::Truncated => "half of it, then the end",
            Self::Slow => "a late answer",
            Self::Never => "no answer",
        }
    }
}

/// The way to the load balancer's listeners.
pub(super) struct Requests {
    /// Which port stands for which.
    pub(super) ports: BTreeMap<u16, u16>,
    seen: Arc<Mutex<Vec<String>>>,
    _listening: JoinSet<()>,
}

/// When a request is struck: the first such, how, and whether all later ones are too.
pub(super) type RequestStrike = Option<(usize, RequestFault, bool)>;

impl Requests {
    pub(super) async fn to(real: &[u16], strike: RequestStrike) -> Result<Self> {
        let (mut ports, mut listening) = (BTreeMap::new(), JoinSet::new());
        let seen = Arc::new(Mutex::new(Vec::new()));
        for real in real.iter().copied() {
            let (listener, port) = listen().await?;
            ports.insert(real, port);
            // Dropped, its port is closed.
            if !matches!(strike, Some((_, RequestFault::Refused, _))) {
                listening.spawn(pass_requests(listener, real, strike, Arc::clone(&seen)));
            }
        }
        Ok(Self { ports, seen, _listening: listening })
    }

    /// Method and path of every request so far.
    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn listen() -> Result<(TcpListener, u16)> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no loopback port for a detour")?;
    let port = listener.local_addr().context("a detour has no address")?.port();
    Ok((listener, port))
}

async fn pass_requests(listener: TcpListener, real: u16, strike: RequestStrike, seen: Arc<Mutex<Vec<String>>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let seen = Arc::clone(&seen);
        let service = service_fn(move |request| pass_request(request, real, strike, Arc::clone(&seen)));
        connections.spawn(async move {
            // An error is a connection that was struck or that the hook has closed.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn pass_request(
    request: Request<Incoming>,
    real: u16,
    strike: RequestStrike,
    seen: Arc<Mutex<Vec<String>>>,
) -> Result<Response<Sent>, Cut> {
    let number = {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(format!("{} {}", request.method(), request.uri().path()));
        seen.len() - 1
    };
    let hit = strike.filter(|(first, _, always)| number == *first || (*always && number > *first));
    let answer = |status: StatusCode, body: &'static str| {
        let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    };
    let kind = hit.map(|(_, kind, _)| kind);
    let response = match kind {
        Some(RequestFault::Refused | RequestFault::Reset) => return Err(Cut),
        Some(RequestFault::Throttled) => answer(StatusCode::TOO_MANY_REQUESTS, "{}"),
        Some(RequestFault::ServerError) => answer(StatusCode::INTERNAL_SERVER_ERROR, "{}"),
        Some(RequestFault::Forbidden) => answer(StatusCode::FORBIDDEN, "{}"),
        Some(RequestFault::Expired) => answer(StatusCode::UNAUTHORIZED, "{\"error\": \"the token has expired\"}"),
        Some(RequestFault::Malformed) => answer(StatusCode::OK, "{\"status\": \u{0}"),
        Some(RequestFault::Empty) => answer(StatusCode::OK, ""),
        Some(RequestFault::Never) => return std::future::pending().await,
        Some(RequestFault::Slow) => {
            tokio::time::sleep(SLOW).await;
            forward(request, real).await?
        }
        Some(RequestFault::WrongType) => {
            let mut response = forward(request, real).await?;
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
            response
        }
        Some(RequestFault::Truncated) | None => forward(request, real).await?,
    };
    let (parts, body) = response.into_parts();
    let sent = if kind == Some(RequestFault::Truncated) { Sent::cut(body).await } else { Sent::whole(body).await };
    Ok(Response::from_parts(parts, sent))
}

async fn forward(request: Request<Incoming>, real: u16) -> Result<Response<Full<Bytes>>, Cut> {
    let stream = TcpStream::connect(("127.0.0.1", real)).await.map_err(|_| Cut)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|_| Cut)?;
    tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await.map_err(|_| Cut)?.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    let mut response = Response::from_parts(parts, Full::new(body));
    response.headers_mut().remove(http::header::TRANSFER_ENCODING);
    Ok(response)
}

/// The way to the database's server.
pub(super) struct Stream {
    pub(super) port: u16,
    seen: Arc<AtomicUsize>,
    _listening: JoinSet<()>,
}

impl Stream {
    pub(super) async fn to(real: u16, strike: Option<(usize, StreamFault)>) -> Result<Self> {
        let (listener, port) = listen().await?;
        let (seen, mut listening) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
        if !matches!(strike, Some((_, StreamFault::Refused))) {
            listening.spawn(pass_streams(listener, real, strike, Arc::clone(&seen)));
        }
        Ok(Self { port, seen, _listening: listening })
    }

    /// How many pieces the hook has sent.
    pub(super) fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

async fn pass_streams(listener: TcpListener, real: u16, strike: Option<(usize, StreamFault)>, seen: Arc<AtomicUsize>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(pass_stream(client, real, strike, Arc::clone(&seen)));
    }
}

/// An end of any kind closes both sides.
async fn pass_stream(mut client: TcpStream, real: u16, strike: Option<(usize, StreamFault)>, seen: Arc<AtomicUsize>) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", real)).await else { return };
    if client.set_nodelay(true).is_err() || server.set_nodelay(true).is_err() {
        return;
    }
    let (mut ours, mut theirs) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut ours) => {
                let Ok(length @ 1..) = read else { return };
                let number = seen.fetch_add(1, Ordering::SeqCst);
                match strike.filter(|(at, _)| *at == number).map(|(_, kind)| kind) {
                    None => {}
                    Some(StreamFault::Refused | StreamFault::Reset) => return,
                    Some(StreamFault::Malformed) => {
                        // Its end is the end of both.
                        let _ = client.write_all(&[0x2a; 64]).await;
                        return;
                    }
                    Some(StreamFault::Truncated) => {
                        let _ = server.write_all(&ours[..length / 2]).await;
                        return;
                    }
                    Some(StreamFault::Slow) => tokio::time::sleep(SLOW).await,
                    Some(StreamFault::Never) => std::future::pending().await,
                }
                if server.write_all(&ours[..length]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut theirs) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&theirs[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

//! One loopback endpoint that answers AWS calls in AWS's own wire protocols, so that any client can use the world.
//!
//! The service is told by the credential scope of the request's signature, the caller by its access key: a function of
//! the world, or nobody known, which is a person's client. **Signatures are not verified**: whoever reaches the port may
//! do everything, and it only listens on loopback. What is not built is refused by name, never answered with an empty
//! success. Each service is a file with one table of its operations.

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::cut::{Cut, Sent};
use crate::world::World;

pub mod calls;
mod cbor;
mod cloudwatch;
mod codedeploy;
mod context;
mod dispatch;
mod ecr;
mod ecs;
mod elbv2;
mod faults;
mod json;
mod lambda;
mod logs;
mod permissions;
mod query;
mod rds;
mod refusal;
mod request;
mod s3;
mod secretsmanager;
mod ssm;
mod sts;
mod xml;

pub use calls::Call;
use calls::Calls;
pub use dispatch::implemented;
pub use ecs::told_deployment_configuration;

/// The endpoint before it is started.
pub struct Wire {
    pub(crate) world: Arc<World>,
    pub(crate) page_size: Option<usize>,
    pub(crate) calls: Calls,
}

/// The running endpoint; it ends with its handle.
pub struct WireHandle {
    url: String,
    wire: Arc<Wire>,
    accepting: JoinHandle<()>,
}

/// What becomes of a request: an answer, or a connection that is closed without one.
pub(crate) enum Outcome {
    /// An answer.
    Answer(http::Response<Full<Bytes>>),
    /// An answer that ends in its middle, and the connection with it.
    Cut(http::Response<Full<Bytes>>),
    /// The connection is closed.
    Reset,
}

impl Wire {
    /// The endpoint of a world.
    pub fn new(world: Arc<World>) -> Self {
        Self { world, page_size: None, calls: Calls::default() }
    }

    /// Answers lists in pages of at most this many, so that clients which ignore tokens are found out.
    #[must_use]
    pub fn page_size(mut self, most: usize) -> Self {
        self.page_size = Some(most.max(1));
        self
    }

    /// The whole answer to a request that came over no connection; `None` where a fault leaves none.
    pub async fn answer(&self, request: http::Request<Bytes>) -> Option<http::Response<Full<Bytes>>> {
        let (parts, body) = request.into_parts();
        match dispatch::answer(self, &parts, &body).await {
            Outcome::Answer(response) => Some(response),
            Outcome::Cut(_) | Outcome::Reset => None,
        }
    }

    /// Starts the endpoint of a world on `port`, or on a free one.
    pub async fn start(world: Arc<World>, port: Option<u16>) -> anyhow::Result<WireHandle> {
        Self::new(world).serve(port).await
    }

    /// Starts this endpoint on `port`, or on a free one.
    pub async fn serve(self, port: Option<u16>) -> anyhow::Result<WireHandle> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0))).await.with_context(|| match port {
                Some(port) => {
                    format!("cannot listen on 127.0.0.1:{port} for AWS calls: give another port or free this one")
                }
                None => "cannot listen on loopback for AWS calls".to_owned(),
            })?;
        let url = format!("http://{}", listener.local_addr().context("the AWS endpoint has no address")?);
        let wire = Arc::new(self);
        let accepting = tokio::spawn(accept(listener, Arc::clone(&wire)));
        Ok(WireHandle { url, wire, accepting })
    }
}

impl WireHandle {
    /// `http://127.0.0.1:…`, for `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends the endpoint and its connections; returns when its port is free.
    pub async fn stop(mut self) {
        self.accepting.abort();
        let ended = (&mut self.accepting).await;
        debug_assert!(ended.is_err_and(|error| error.is_cancelled()), "the endpoint accepts until it is stopped");
    }

    /// How many calls there were so far.
    pub fn count(&self) -> usize {
        self.wire.calls.count()
    }

    /// The operations that this function called, from this place of the log on.
    pub fn calls_of(&self, caller: &str, from: usize) -> Vec<String> {
        self.wire.calls.of(caller, from)
    }

    /// Every call so far, oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.wire.calls.all()
    }
}

impl Drop for WireHandle {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Accepts until it is aborted; its connections end with it.
async fn accept(listener: TcpListener, wire: Arc<Wire>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(serve_connection(stream, Arc::clone(&wire)));
                } else {
                    tokio::task::yield_now().await;
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_connection(stream: TcpStream, wire: Arc<Wire>) {
    // Without it an answer of two segments waits for the client's delayed acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "an AWS client's connection could not be set to no delay");
    }
    let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
        let wire = Arc::clone(&wire);
        async move {
            let (parts, body) = request.into_parts();
            let body = match body.collect().await {
                Ok(body) => body.to_bytes(),
                Err(_) => return Err(Cut),
            };
            match dispatch::answer(&wire, &parts, &body).await {
                Outcome::Answer(response) => {
                    let (parts, body) = response.into_parts();
                    Ok(http::Response::from_parts(parts, Sent::whole(body).await))
                }
                Outcome::Cut(response) => {
                    let (parts, body) = response.into_parts();
                    Ok(http::Response::from_parts(parts, Sent::cut(body).await))
                }
                Outcome::Reset => Err(Cut),
            }
        }
    });
    let served = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
    if let Err(error) = served {
        tracing::debug!(%error, "an AWS client's connection ended early");
    }
}

/// The body of an answer.
pub(crate) fn body(bytes: impl Into<Bytes>) -> Full<Bytes> {
    Full::new(bytes.into())
}

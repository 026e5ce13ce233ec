//! The Lambda Runtime API for one process: it books when the process first asks for an event, hands it one, and books
//! when it is done with it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const REQUEST_ID: &str = "00000000-0000-4000-8000-000000000001";
/// How long the function may take, as it is told.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Clone, Default)]
struct Booked {
    asked: Option<Instant>,
    done: Option<Instant>,
    /// What the function itself called an error.
    error: Option<String>,
}

pub(crate) struct RuntimeApi {
    pub(crate) address: SocketAddr,
    booked: watch::Receiver<Booked>,
    accepting: JoinHandle<()>,
}

impl RuntimeApi {
    /// Hands out this event, once.
    pub(crate) async fn start(event: &Value) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port for the Runtime API")?;
        let address = listener.local_addr()?;
        let (sender, booked) = watch::channel(Booked::default());
        let side = Arc::new(Side { event: event.to_string().into(), booked: sender });
        let accepting = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, Arc::clone(&side)));
            }
        });
        Ok(Self { address, booked, accepting })
    }

    /// When the process first asked for an event.
    pub(crate) async fn asked(&self) -> Result<Instant> {
        let mut booked = self.booked.clone();
        let booked = booked.wait_for(|booked| booked.asked.is_some() || booked.error.is_some()).await?.clone();
        booked.asked.with_context(|| booked.error.unwrap_or_default())
    }

    /// When the process was done with its event.
    pub(crate) async fn done(&self) -> Result<Instant> {
        let mut booked = self.booked.clone();
        let booked = booked.wait_for(|booked| booked.done.is_some() || booked.error.is_some()).await?.clone();
        booked.done.with_context(|| booked.error.unwrap_or_default())
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

struct Side {
    event: Bytes,
    booked: watch::Sender<Booked>,
}

impl Side {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let now = Instant::now();
        let path = request.uri().path().to_owned();
        if request.method() == Method::GET && path.ends_with("/invocation/next") {
            return Ok(self.next(now).await);
        }
        let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        self.booked.send_modify(|booked| {
            if path.ends_with("/error") {
                booked.error = Some(format!("the function reports an error: {}", String::from_utf8_lossy(&body)));
            } else {
                booked.done.get_or_insert(now);
            }
        });
        Ok(reply(StatusCode::ACCEPTED, Bytes::from_static(b"{\"status\":\"OK\"}")))
    }

    async fn next(&self, now: Instant) -> Response<Full<Bytes>> {
        let first = self.booked.borrow().asked.is_none();
        self.booked.send_modify(|booked| {
            booked.asked.get_or_insert(now);
        });
        if !first {
            return std::future::pending().await;
        }
        let deadline = SystemTime::now() + TIMEOUT;
        let deadline = deadline.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let mut response = reply(StatusCode::OK, self.event.clone());
        let headers = [
            ("lambda-runtime-aws-request-id", REQUEST_ID.to_owned()),
            ("lambda-runtime-deadline-ms", deadline.to_string()),
            ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:123456789012:function:bench".to_owned()),
            ("lambda-runtime-trace-id", "Root=1-00000000-000000000000000000000000;Sampled=0".to_owned()),
        ];
        for (name, value) in headers {
            response.headers_mut().insert(name, value.parse().expect("digits and ASCII words fit a header"));
        }
        response
    }
}

fn reply(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    response
}

async fn serve(connection: TcpStream, side: Arc<Side>) {
    // A connection breaks when its process is killed, which is how every run ends.
    let _ = connection.set_nodelay(true);
    let service = service_fn(move |request| {
        let side = Arc::clone(&side);
        async move { side.answer(request).await }
    });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
}

//! The Runtime API of one environment: HTTP in, [`Ask`]s out.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// Largest response: 6 MiB and a little.
pub(super) const LARGEST_RESPONSE: usize = 6 * 1024 * 1024 + 100;

/// What the process asks for, or says.
pub(super) enum Ask {
    /// It waits for its next event.
    Next(oneshot::Sender<Event>),
    /// It says something; the answer is whether it may.
    Say(Said, oneshot::Sender<Result<(), Refusal>>),
}

/// What the process says.
pub(super) enum Said {
    /// Its answer to the request with this id; `None` when it is too large.
    Response(String, Option<String>),
    /// Its error on the request with this id, as JSON text.
    Error(String, String),
    /// It cannot start: its error, as JSON text.
    InitError(String),
}

/// What the process is handed.
pub(super) struct Event {
    pub(super) request_id: String,
    pub(super) deadline_ms: i64,
    pub(super) function_arn: String,
    pub(super) payload: String,
}

/// Why what it says is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No such request is being served.
    UnknownRequest,
    /// Not now.
    NotNow,
    /// Larger than [`LARGEST_RESPONSE`].
    TooLarge,
}

/// Serves the API until it is dropped.
pub(super) async fn serve(listener: TcpListener, asks: mpsc::Sender<Ask>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let asks = asks.clone();
                let service = service_fn(move |request| answer(request, asks.clone()));
                connections.spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(request: Request<Incoming>, asks: mpsc::Sender<Ask>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let Some(path) = path.strip_prefix("/2018-06-01/runtime/") else {
        return Ok(refused(StatusCode::NOT_FOUND, "NotFound", "the rehearsal has the Runtime API only"));
    };
    let words: Vec<&str> = path.split('/').collect();
    Ok(match (request.method(), words.as_slice()) {
        (&Method::GET, ["invocation", "next"]) => next(&asks).await,
        (&Method::POST, ["invocation", id, "response"]) => {
            let response = body(request).await;
            say(&asks, Said::Response((*id).to_owned(), response)).await
        }
        (&Method::POST, ["invocation", id, "error"]) => {
            let error = error(request).await;
            say(&asks, Said::Error((*id).to_owned(), error)).await
        }
        (&Method::POST, ["init", "error"]) => {
            let error = error(request).await;
            say(&asks, Said::InitError(error)).await
        }
        _ => refused(StatusCode::NOT_FOUND, "NotFound", "no such operation of the Runtime API"),
    })
}

async fn next(asks: &mpsc::Sender<Ask>) -> Response<Full<Bytes>> {
    let (event, handed_out) = oneshot::channel();
    // Dropped without an event: asked for one while it serves one.
    let Some(event) = ask(asks, Ask::Next(event), handed_out).await else { return refusal(Refusal::NotNow) };
    let mut response = Response::new(Full::new(Bytes::from(event.payload)));
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    put(headers, "lambda-runtime-aws-request-id", &event.request_id);
    put(headers, "lambda-runtime-deadline-ms", &event.deadline_ms.to_string());
    put(headers, "lambda-runtime-invoked-function-arn", &event.function_arn);
    put(headers, "lambda-runtime-trace-id", &trace_id());
    response
}

async fn say(asks: &mpsc::Sender<Ask>, said: Said) -> Response<Full<Bytes>> {
    let (verdict, heard) = oneshot::channel();
    match ask(asks, Ask::Say(said, verdict), heard).await.unwrap_or(Err(Refusal::NotNow)) {
        Ok(()) => json(StatusCode::ACCEPTED, &serde_json::json!({ "status": "OK" })),
        Err(why) => refusal(why),
    }
}

async fn ask<T>(asks: &mpsc::Sender<Ask>, ask: Ask, answered: oneshot::Receiver<T>) -> Option<T> {
    asks.send(ask).await.ok()?;
    answered.await.ok()
}

/// The whole body; `None` when it is too large. Then too it is read to its end, so that the client gets to see the refusal.
async fn body(request: Request<Incoming>) -> Option<String> {
    let mut body = request.into_body();
    let mut read = Vec::new();
    let mut too_large = false;
    while let Some(Ok(frame)) = body.frame().await {
        if let Some(data) = frame.data_ref() {
            too_large = too_large || read.len() + data.len() > LARGEST_RESPONSE;
            if !too_large {
                read.extend_from_slice(data);
            }
        }
    }
    (!too_large).then(|| String::from_utf8_lossy(&read).into_owned())
}

/// The error it reports: its body, or what its header says when it has none.
async fn error(request: Request<Incoming>) -> String {
    let header = request.headers().get("lambda-runtime-function-error-type");
    let kind = header.and_then(|it| it.to_str().ok()).unwrap_or("Runtime.UnknownReason").to_owned();
    match body(request).await {
        Some(body) if !body.trim().is_empty() => body,
        _ => serde_json::json!({ "errorType": kind, "errorMessage": "" }).to_string(),
    }
}

fn refusal(why: Refusal) -> Response<Full<Bytes>> {
    match why {
        Refusal::UnknownRequest => refused(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID"),
        Refusal::NotNow => refused(StatusCode::FORBIDDEN, "InvalidStateTransition", "State transition is not allowed"),
        Refusal::TooLarge => refused(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            &format!("Exceeded maximum allowed payload size ({LARGEST_RESPONSE} bytes)."),
        ),
    }
}

fn refused(status: StatusCode, kind: &str, message: &str) -> Response<Full<Bytes>> {
    json(status, &serde_json::json!({ "errorMessage": message, "errorType": kind }))
}

fn json(status: StatusCode, body: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    // A function's name, which is all of this that a scenario chooses, was checked when the scenario was read.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// X-Ray's format; not sampled.
fn trace_id() -> String {
    let (root, parent) = (uuid::Uuid::new_v4().simple().to_string(), uuid::Uuid::new_v4().simple().to_string());
    let seconds = jiff::Timestamp::now().as_second();
    format!("Root=1-{seconds:08x}-{};Parent={};Sampled=0", &root[..24], &parent[..16])
}

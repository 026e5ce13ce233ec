//! AWS as a hook under measurement sees it: HTTPS endpoints in front of a world that answers.
//!
//! An answer is asked of the world once and played back from then on, so that the hook is measured and not the world,
//! until the world moves on. The hook's own answer, `PutLifecycleEventHookExecutionStatus`, stays here: a world that stands
//! still serves every run.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use crate::certificates;

pub(crate) const ANSWER: &str = "PutLifecycleEventHookExecutionStatus";

/// One call of a hook.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// `DescribeServices`, or method and path where the protocol has no operation name.
    pub(crate) operation: String,
    pub(crate) media_type: String,
    pub(crate) request: Bytes,
    pub(crate) response: Bytes,
    pub(crate) arrived: Instant,
    pub(crate) answered: Instant,
}

/// The endpoints, for as long as this lives.
pub(crate) struct Aws {
    /// For `AWS_ENDPOINT_URL`.
    pub(crate) url: String,
    /// For `AWS_CA_BUNDLE`.
    pub(crate) authority: PathBuf,
    state: Arc<State>,
}

struct State {
    client: Client<HttpConnector, Full<Bytes>>,
    tape: Mutex<HashMap<Key, Recorded>>,
    run: Mutex<Run>,
    answered: Notify,
}

type Key = (String, String, Bytes);

#[derive(Clone)]
struct Recorded {
    status: StatusCode,
    media_type: Option<header::HeaderValue>,
    body: Bytes,
}

#[derive(Default)]
struct Run {
    world: String,
    delay: Duration,
    calls: Vec<Call>,
}

impl Aws {
    pub(crate) async fn start(folder: &Path) -> Result<Self> {
        let (authority, acceptor) = certificates::make(folder)?;
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port for the AWS endpoints")?;
        let url = format!("https://{}", listener.local_addr()?);
        let state = Arc::new(State {
            client: Client::builder(TokioExecutor::new()).build_http(),
            tape: Mutex::default(),
            run: Mutex::default(),
            answered: Notify::new(),
        });
        tokio::spawn(accept(listener, acceptor, Arc::clone(&state)));
        Ok(Self { url, authority, state })
    }

    /// Begins a run: from now on calls go to this world and take at least this long.
    pub(crate) fn begin(&self, world: &str, delay: Duration) {
        *self.state.run() = Run { world: world.to_owned(), delay, calls: Vec::new() };
    }

    /// Forgets the world's answers: it has moved on.
    pub(crate) fn forget(&self) {
        self.state.tape().clear();
    }

    /// Waits until the hook's own answer has been answered, and returns every call of the run, oldest first.
    pub(crate) async fn until_answered(&self) -> Vec<Call> {
        loop {
            let told = self.state.answered.notified();
            let calls = self.state.run().calls.clone();
            if calls.iter().any(|call| call.operation == ANSWER) {
                return calls;
            }
            told.await;
        }
    }
}

impl State {
    fn run(&self) -> MutexGuard<'_, Run> {
        self.run.lock().expect("nothing panics while it holds the run")
    }

    fn tape(&self) -> MutexGuard<'_, HashMap<Key, Recorded>> {
        self.tape.lock().expect("nothing panics while it holds the tape")
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let arrived = Instant::now();
        let (head, body) = request.into_parts();
        let Ok(body) = body.collect().await else { return Ok(plain(StatusCode::BAD_REQUEST, "the body broke off")) };
        let body = body.to_bytes();
        let operation = operation(&head.method, &head.uri, &head.headers, &body);
        let (world, delay) = {
            let run = self.run();
            (run.world.clone(), run.delay)
        };
        let recorded = if operation == ANSWER {
            taken(&body)
        } else {
            match self.recorded(&world, &operation, &head, &body).await {
                Ok(recorded) => recorded,
                Err(error) => return Ok(plain(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error:#}"))),
            }
        };
        if delay > Duration::ZERO {
            tokio::time::sleep_until((arrived + delay).into()).await;
        }
        let is_answer = operation == ANSWER;
        self.run().calls.push(Call {
            operation,
            media_type: text(&head.headers, header::CONTENT_TYPE.as_str()).to_owned(),
            request: body,
            response: recorded.body.clone(),
            arrived,
            answered: Instant::now(),
        });
        if is_answer {
            self.answered.notify_waiters();
        }
        let mut response = Response::new(Full::new(recorded.body));
        *response.status_mut() = recorded.status;
        if let Some(media_type) = recorded.media_type {
            response.headers_mut().insert(header::CONTENT_TYPE, media_type);
        }
        Ok(response)
    }

    async fn recorded(
        &self,
        world: &str,
        operation: &str,
        head: &http::request::Parts,
        body: &Bytes,
    ) -> Result<Recorded> {
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let key = (format!("{world} {} {path}", head.method), operation.to_owned(), body.clone());
        if let Some(recorded) = self.tape().get(&key) {
            return Ok(recorded.clone());
        }
        let uri: Uri = format!("{world}{path}").parse().context("the world's address")?;
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = head.headers.clone();
        request.headers_mut().remove(header::TRANSFER_ENCODING);
        let response = self.client.request(request).await.with_context(|| format!("{operation}: the world is away"))?;
        let (head, body) = response.into_parts();
        let media_type = head.headers.get(header::CONTENT_TYPE).cloned();
        let recorded = Recorded { status: head.status, media_type, body: body.collect().await?.to_bytes() };
        self.tape().insert(key, recorded.clone());
        Ok(recorded)
    }
}

/// What CodeDeploy says to an answer that it takes.
fn taken(request: &Bytes) -> Recorded {
    let id = serde_json::from_slice::<serde_json::Value>(request)
        .map(|request| request["lifecycleEventHookExecutionId"].clone())
        .unwrap_or_default();
    Recorded {
        status: StatusCode::OK,
        media_type: Some(header::HeaderValue::from_static("application/x-amz-json-1.1")),
        body: serde_json::json!({ "lifecycleEventHookExecutionId": id }).to_string().into(),
    }
}

fn operation(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> String {
    let target = text(headers, "x-amz-target");
    if let Some((_, operation)) = target.rsplit_once('.') {
        return operation.to_owned();
    }
    if let Some((_, operation)) = uri.path().rsplit_once("/operation/") {
        return operation.to_owned();
    }
    form_urlencoded::parse(body)
        .find(|(name, _)| name == "Action")
        .map_or_else(|| format!("{method} {}", uri.path()), |(_, operation)| operation.into_owned())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn plain(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(text.as_bytes())));
    *response.status_mut() = status;
    response
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, state: Arc<State>) {
    while let Ok((connection, _)) = listener.accept().await {
        tokio::spawn(serve(connection, acceptor.clone(), Arc::clone(&state)));
    }
}

async fn serve(connection: TcpStream, acceptor: TlsAcceptor, state: Arc<State>) {
    // A connection that breaks is the hook's to notice: it is killed in the middle of its last one.
    let _ = connection.set_nodelay(true);
    let Ok(connection) = acceptor.accept(connection).await else { return };
    let service = service_fn(move |request| {
        let state = Arc::clone(&state);
        async move { state.answer(request).await }
    });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
}

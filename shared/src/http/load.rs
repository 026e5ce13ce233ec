//! Connections for a load: one for each request under way, kept for the next, spread over the addresses of the load
//! balancer.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{HeaderMap, Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use reqwest::Url;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{CONNECT, HttpProbe, causes, failed};
use crate::load::{self, Barrage, Fault, Load, Sender, Tally};
use crate::ports::{ProbeError, ProbeRequest, ProbeResponse};
use crate::report::words::one_line;

#[async_trait]
impl Load for HttpProbe {
    async fn run(&self, barrage: Barrage, fault: &Fault<'_>) -> Tally {
        match Connections::prepare(self, &barrage.requests).await {
            Ok(connections) => load::send(&barrage, &connections, fault).await,
            Err(error) => load::send(&barrage, &Nobody(error), fault).await,
        }
    }
}

/// Whoever cannot even begin.
struct Nobody(ProbeError);

impl Sender for Nobody {
    async fn send(&self, _: usize) -> Result<ProbeResponse, ProbeError> {
        Err(self.0.clone())
    }
}

/// A request, ready to be sent often.
struct Shot {
    method: Method,
    path: Uri,
    headers: HeaderMap,
    body: Bytes,
    max_body: usize,
}

/// Connections to one listener.
struct Connections {
    shots: Vec<Shot>,
    addresses: Vec<SocketAddr>,
    turn: AtomicUsize,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// The last used is used first, so that the others may age.
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

impl Connections {
    async fn prepare(probe: &HttpProbe, requests: &[ProbeRequest]) -> Result<Self, ProbeError> {
        let first = requests.first().ok_or_else(|| failed("there is nothing to send".to_owned()))?;
        let url = parsed(&first.url)?;
        let address = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default().unwrap_or(80);
        let name = first.host.as_deref().unwrap_or(&address);
        let tls = match url.scheme() {
            "https" => {
                let name = ServerName::try_from(name.to_owned())
                    .map_err(|_| failed(format!("`{}` is no host name", one_line(name, 80))))?;
                Some((TlsConnector::from(Arc::new(probe.shared.tls()?)), name))
            }
            _ => None,
        };
        let found = tokio::net::lookup_host((address.as_str(), port)).await;
        let addresses: Vec<SocketAddr> =
            found.map_err(|error| failed(format!("no address of {}: {error}", one_line(&address, 80))))?.collect();
        if addresses.is_empty() {
            return Err(failed(format!("no address of {}", one_line(&address, 80))));
        }
        let shots = requests.iter().map(|request| shot(probe, request)).collect::<Result<_, _>>()?;
        Ok(Self { shots, addresses, turn: AtomicUsize::new(0), tls, idle: Mutex::new(Vec::new()) })
    }

    /// Sends on a connection that is kept, else on a new one. A request is never sent twice: only one that a closed
    /// connection handed back unsent goes to the next.
    async fn exchange(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, SendRequest<Full<Bytes>>), ProbeError> {
        while let Some(mut connection) = self.take() {
            match connection.try_send_request(request).await {
                Ok(response) => return Ok((response, connection)),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(broken(&error.into_error())),
                },
            }
        }
        let mut connection = self.connect().await?;
        let response = connection.send_request(request).await.map_err(|error| broken(&error))?;
        Ok((response, connection))
    }

    fn take(&self) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(connection) = idle.pop() {
            if connection.is_ready() {
                return Some(connection);
            }
        }
        None
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, ProbeError> {
        let address = self.addresses[self.turn.fetch_add(1, Ordering::Relaxed) % self.addresses.len()];
        let stream = match tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                return Err(ProbeError { reason: "connection refused".to_owned(), refused: true });
            }
            Ok(Err(error)) => return Err(failed(format!("no connection: {}", one_line(&error.to_string(), 160)))),
            Err(_) => return Err(failed(format!("no connection in {} s", CONNECT.as_secs()))),
        };
        // Without it a request's body waits for the acknowledgement of its head.
        let _ = stream.set_nodelay(true);
        match &self.tls {
            None => open(stream).await,
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await;
                open(stream.map_err(|error| failed(format!("no connection: {}", one_line(&error.to_string(), 160))))?)
                    .await
            }
        }
    }
}

async fn open<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, ProbeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (connection, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
    // Ends with the connection, which ends with the load.
    tokio::spawn(driver);
    Ok(connection)
}

impl Sender for Connections {
    async fn send(&self, number: usize) -> Result<ProbeResponse, ProbeError> {
        let shot = &self.shots[number];
        let mut request = Request::new(Full::new(shot.body.clone()));
        *request.method_mut() = shot.method.clone();
        *request.uri_mut() = shot.path.clone();
        *request.headers_mut() = shot.headers.clone();
        let started = Instant::now();
        let (response, mut connection) = self.exchange(request).await?;
        let (head, mut rest) = response.into_parts();
        let mut body = Vec::new();
        let mut truncated = false;
        while let Some(frame) = rest.frame().await {
            let frame = frame.map_err(|error| broken(&error))?;
            let Some(chunk) = frame.data_ref() else { continue };
            let room = shot.max_body - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() > room {
                truncated = true;
                break;
            }
        }
        let took = started.elapsed();
        // What was not read to its end cannot be used again.
        if !truncated && connection.ready().await.is_ok() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        Ok(ProbeResponse {
            status: head.status.as_u16(),
            headers: super::headers(&head.headers),
            body,
            truncated,
            took,
        })
    }
}

fn shot(probe: &HttpProbe, request: &ProbeRequest) -> Result<Shot, ProbeError> {
    let url = parsed(&request.url)?;
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let method = Method::from_bytes(request.method.as_bytes())
        .map_err(|_| failed(format!("`{}` is no HTTP method", one_line(&request.method, 20))))?;
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let shown = one_line(name, 60);
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| failed(format!("`{shown}` is no header")))?;
        let value = HeaderValue::from_str(value)
            .map_err(|_| failed(format!("the value of header `{shown}` cannot be sent")))?;
        headers.insert(key, value);
    }
    let host = match (&request.host, url.port()) {
        (Some(host), _) => host.clone(),
        (None, Some(port)) => format!("{}:{port}", url.host_str().unwrap_or_default()),
        (None, None) => url.host_str().unwrap_or_default().to_owned(),
    };
    headers.insert(HOST, HeaderValue::from_str(&host).map_err(|_| failed("the host is no host name".to_owned()))?);
    if let Ok(agent) = HeaderValue::from_str(&probe.user_agent) {
        headers.insert(USER_AGENT, agent);
    }
    Ok(Shot {
        method,
        path: path.parse().map_err(|_| failed("the path cannot be sent".to_owned()))?,
        headers,
        body: request.body.clone().unwrap_or_default().into(),
        max_body: request.max_body,
    })
}

fn parsed(url: &str) -> Result<Url, ProbeError> {
    Url::parse(url).map_err(|error| failed(format!("the URL is none: {error}")))
}

/// Why an exchange broke off, in the words of its innermost cause.
fn broken(error: &hyper::Error) -> ProbeError {
    let innermost = causes(error).last().map(ToString::to_string).unwrap_or_default();
    failed(format!("the connection broke: {}", one_line(&innermost, 160)))
}

//! Requests to the service through its load balancer: the connection goes to the load balancer's own address, `Host` and
//! SNI say the name that users say. No redirect, no proxy, no decompression: what is judged is what was answered.

mod load;

use std::collections::HashMap;
use std::error::Error;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use reqwest::{Client, Method, Url};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::ports::{Caller, Probe, ProbeError, ProbeRequest, ProbeResponse};
use crate::report::words::{chain, one_line};

/// A load balancer that does not take a connection in this time does not serve.
const CONNECT: Duration = Duration::from_secs(5);

/// HTTP clients, one for every name and address; each is built when it is first used.
#[derive(Clone)]
pub struct Http {
    shared: Arc<Shared>,
}

struct Shared {
    extra_roots: Option<String>,
    tls: Mutex<Option<ClientConfig>>,
    clients: Mutex<HashMap<(String, String), Client>>,
}

impl Http {
    /// `extra_roots` names a file with roots beyond the public ones. Nothing is read or contacted yet.
    pub fn new(extra_roots: Option<String>) -> Self {
        let shared = Shared { extra_roots, tls: Mutex::new(None), clients: Mutex::new(HashMap::new()) };
        Self { shared: Arc::new(shared) }
    }

    /// Requests in the name of this caller.
    pub fn probe(&self, caller: &Caller) -> HttpProbe {
        HttpProbe { shared: self.shared.clone(), user_agent: caller.user_agent() }
    }
}

/// [`Probe`] over HTTP/1.1.
pub struct HttpProbe {
    shared: Arc<Shared>,
    user_agent: String,
}

#[async_trait]
impl Probe for HttpProbe {
    async fn send(&self, request: ProbeRequest) -> Result<ProbeResponse, ProbeError> {
        let limit = request.timeout;
        match tokio::time::timeout(limit, self.exchange(request)).await {
            Ok(response) => response,
            Err(_) => Err(failed(format!("no complete answer in {} ms", limit.as_millis()))),
        }
    }
}

impl HttpProbe {
    async fn exchange(&self, request: ProbeRequest) -> Result<ProbeResponse, ProbeError> {
        let mut url = Url::parse(&request.url).map_err(|error| failed(format!("the URL is none: {error}")))?;
        let address = url.host_str().ok_or_else(|| failed("the URL has no host".to_owned()))?.to_owned();
        let name = request.host.as_deref().unwrap_or(&address);
        url.set_host(Some(name))
            .map_err(|error| failed(format!("`{}` is no host name: {error}", one_line(name, 80))))?;
        let client = self.shared.client(name, &address)?;
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| failed(format!("`{}` is no HTTP method", one_line(&request.method, 20))))?;
        let mut sent = client.request(method, url).header(USER_AGENT, &self.user_agent);
        if let Some(host) = &request.host {
            sent = sent.header(HOST, host);
        }
        for (name, value) in &request.headers {
            let shown = one_line(name, 60);
            let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| failed(format!("`{shown}` is no header")))?;
            let mut value = HeaderValue::from_str(value)
                .map_err(|_| failed(format!("the value of header `{shown}` cannot be sent")))?;
            value.set_sensitive(true);
            sent = sent.header(key, value);
        }
        if let Some(body) = request.body {
            sent = sent.body(body);
        }
        let started = Instant::now();
        let mut answer = sent.send().await.map_err(unanswered)?;
        let mut body = Vec::new();
        let mut truncated = false;
        while let Some(chunk) = answer.chunk().await.map_err(unanswered)? {
            let room = request.max_body - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() > room {
                truncated = true;
                break;
            }
        }
        Ok(ProbeResponse {
            status: answer.status().as_u16(),
            headers: headers(answer.headers()),
            body,
            truncated,
            took: started.elapsed(),
        })
    }
}

/// The headers of an answer, names in lower case.
fn headers(found: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    found.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

impl Shared {
    /// The client that says `name` and connects to `address`.
    fn client(&self, name: &str, address: &str) -> Result<Client, ProbeError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (name.to_owned(), address.to_owned());
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let built = Client::builder()
            .tls_backend_preconfigured(self.tls()?)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            .http1_only()
            .dns_resolver(Arc::new(To { address: address.to_owned() }))
            .build()
            .map_err(|error| failed(format!("no HTTP client: {}", chain(&error))))?;
        clients.insert(key, built.clone());
        Ok(built)
    }

    fn tls(&self) -> Result<ClientConfig, ProbeError> {
        let mut tls = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tls) = tls.as_ref() {
            return Ok(tls.clone());
        }
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(path) = &self.extra_roots {
            let broken = |error: &dyn Error| failed(format!("GREENLIGHT_CA_BUNDLE names {path}: {error}"));
            for certificate in CertificateDer::pem_file_iter(path).map_err(|error| broken(&error))? {
                roots.add(certificate.map_err(|error| broken(&error))?).map_err(|error| broken(&error))?;
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let built = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(format!("no TLS: {error}")))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(tls.insert(built).clone())
    }
}

/// Resolves every name to the load balancer.
struct To {
    address: String,
}

impl Resolve for To {
    fn resolve(&self, _: Name) -> Resolving {
        let address = self.address.trim_matches(['[', ']']).to_owned();
        Box::pin(async move {
            if let Ok(address) = address.parse::<IpAddr>() {
                return Ok(Box::new(std::iter::once(SocketAddr::new(address, 0))) as Addrs);
            }
            let found: Vec<SocketAddr> = tokio::net::lookup_host((address.as_str(), 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn failed(reason: String) -> ProbeError {
    ProbeError { reason, refused: false }
}

/// Why there was no answer, without the URL: the check knows it, and its query may be secret.
fn unanswered(error: reqwest::Error) -> ProbeError {
    let error = error.without_url();
    let refused = causes(&error).any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    });
    let innermost = causes(&error).last().map(ToString::to_string).unwrap_or_default();
    let reason = match (refused, error.is_timeout()) {
        (true, _) => "connection refused".to_owned(),
        (_, true) => "no answer in time".to_owned(),
        _ if error.is_connect() => format!("no connection: {}", one_line(&innermost, 160)),
        _ => format!("the connection broke: {}", one_line(&innermost, 160)),
    };
    ProbeError { reason, refused }
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

#[cfg(test)]
mod tests;

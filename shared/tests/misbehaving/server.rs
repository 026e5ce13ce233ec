//! A server on loopback that misbehaves as it is told. It ends with the test's runtime.

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// What it does with a request.
#[derive(Clone, Copy)]
pub(crate) enum Behaviour {
    /// Answers well, as version 42.
    Well,
    /// Answers so many requests well, and closes every connection after that.
    DiesAfter(usize),
    /// Never answers.
    Silent,
    /// Sends these bytes and closes.
    Says(&'static [u8]),
    /// Sends header lines for ever.
    EndlessHead,
    /// Sends a body for ever; packed, as it says.
    EndlessBody { packed: bool },
    /// `/0` leads to `/1`, this to `/2`, and this to `/0`.
    Redirecting,
}

/// The server.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) is_encrypted: bool,
    roots: Option<PathBuf>,
    seen: Arc<Seen>,
    _folder: Option<tempfile::TempDir>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: AtomicUsize,
    sent: AtomicUsize,
}

impl Server {
    pub(crate) fn start(behaviour: Behaviour) -> Self {
        Self::serve(behaviour, None)
    }

    /// Answers well over TLS, with a certificate for this name that is valid on these days from now.
    pub(crate) fn encrypted(authority: &Authority, name: &str, days: Range<i64>, trusted: bool) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let roots = folder.path().join("roots.pem");
        let trusts = if trusted { authority.pem.clone() } else { Authority::new().pem };
        std::fs::write(&roots, trusts).expect("a file");
        let server = Self::serve(Behaviour::Well, Some(authority.acceptor(name, days)));
        Self { roots: Some(roots), _folder: Some(folder), ..server }
    }

    fn serve(behaviour: Behaviour, tls: Option<TlsAcceptor>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        listener.set_nonblocking(true).expect("a socket can be polled");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let seen = Arc::new(Seen::default());
        let is_encrypted = tls.is_some();
        let counted = seen.clone();
        tokio::spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a socket of this runtime");
            while let Ok((stream, _)) = listener.accept().await {
                counted.connections.fetch_add(1, Ordering::Relaxed);
                let (seen, tls) = (counted.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => converse(stream, behaviour, &seen).await,
                        Some(tls) => converse(tls.accept(stream).await?, behaviour, &seen).await,
                    }
                });
            }
        });
        Self { port, is_encrypted, roots: None, seen, _folder: None }
    }

    pub(crate) fn roots(&self) -> Option<String> {
        self.roots.as_ref().map(|path| path.display().to_string())
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn sent(&self) -> usize {
        self.seen.sent.load(Ordering::Relaxed)
    }
}

async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    behaviour: Behaviour,
    seen: &Seen,
) -> io::Result<()> {
    let mut request = vec![0; 8192];
    loop {
        let length = stream.read(&mut request).await?;
        if length == 0 {
            return Ok(());
        }
        let number = seen.requests.fetch_add(1, Ordering::Relaxed);
        match behaviour {
            Behaviour::DiesAfter(most) if number >= most => return Ok(()),
            Behaviour::Well | Behaviour::DiesAfter(_) => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nx-version: 42\r\ncontent-length: 2\r\n\r\nok").await?;
            }
            Behaviour::Silent => std::future::pending().await,
            Behaviour::Says(bytes) => return stream.write_all(bytes).await,
            Behaviour::EndlessHead => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
                loop {
                    stream.write_all(b"x-more: and more\r\n").await?;
                }
            }
            Behaviour::EndlessBody { packed } => {
                let encoding = if packed { "content-encoding: gzip\r\n" } else { "" };
                let head = format!("HTTP/1.1 200 OK\r\n{encoding}transfer-encoding: chunked\r\n\r\n");
                stream.write_all(head.as_bytes()).await?;
                let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
                loop {
                    stream.write_all(chunk.as_bytes()).await?;
                    seen.sent.fetch_add(chunk.len(), Ordering::Relaxed);
                }
            }
            Behaviour::Redirecting => {
                let page = request[..length].split(|byte| *byte == b'/').nth(1).and_then(|path| path.first());
                let next = match page {
                    Some(b'0') => 1,
                    Some(b'1') => 2,
                    _ => 0,
                };
                let answer = format!("HTTP/1.1 302 Found\r\nlocation: /{next}\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await?;
            }
        }
    }
}

/// A certificate authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        params.distinguished_name.push(DnType::CommonName, format!("authority {number}"));
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn acceptor(&self, name: &str, days: Range<i64>) -> TlsAcceptor {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        params.not_before = day(days.start);
        params.not_after = day(days.end);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let private = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("TLS")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .expect("the key is the certificate's");
        TlsAcceptor::from(Arc::new(config))
    }
}

/// So many days from now.
fn day<T: From<SystemTime>>(days: i64) -> T {
    let distance = Duration::from_secs(days.unsigned_abs() * 86_400);
    let now = SystemTime::now();
    T::from(if days < 0 { now - distance } else { now + distance })
}

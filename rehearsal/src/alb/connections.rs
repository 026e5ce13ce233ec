//! Keep-alive connections to one address.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// Idle connections kept; more are closed when their request has ended.
const KEPT: usize = 128;
/// How long a connection may take to be made, real time. The load balancer's documented limit.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections to one address, kept for the next request. The last used is used first, so that the others may age.
pub(crate) struct Connections<B> {
    address: SocketAddr,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    idle: Mutex<Vec<SendRequest<B>>>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// No connection could be made.
    #[error("no connection to {0}: {1}")]
    Connect(SocketAddr, #[source] std::io::Error),
    /// The connection broke, or what came was not HTTP.
    #[error(transparent)]
    Broken(#[from] hyper::Error),
}

impl<B> Connections<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, tls: None, idle: Mutex::new(Vec::new()) }
    }

    /// Over TLS, with this name as SNI.
    pub(crate) fn over_tls(address: SocketAddr, connector: TlsConnector, name: ServerName<'static>) -> Self {
        Self { tls: Some((connector, name)), ..Self::new(address) }
    }

    /// Sends a request and returns the answer's head with the connection, to be given back by [`Connections::put_back`]
    /// when the body has been read to its end.
    ///
    /// A request is never sent twice: only one that a closed connection handed back unsent goes to the next connection.
    pub(crate) async fn send(
        &self,
        mut request: Request<B>,
    ) -> Result<(Response<Incoming>, SendRequest<B>), SendError> {
        while let Some(mut connection) = self.take() {
            match connection.try_send_request(request).await {
                Ok(response) => return Ok((response, connection)),
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(failed.into_error().into()),
                },
            }
        }
        let mut connection = self.connect().await?;
        let response = connection.send_request(request).await?;
        Ok((response, connection))
    }

    /// Keeps a connection for the next request.
    pub(crate) fn put_back(&self, connection: SendRequest<B>) {
        if connection.is_closed() {
            return;
        }
        let mut idle = self.lock();
        if idle.len() < KEPT {
            idle.push(connection);
        }
    }

    /// The last used connection that is open and done with its request.
    fn take(&self) -> Option<SendRequest<B>> {
        let mut idle = self.lock();
        let mut index = idle.len();
        while index > 0 {
            index -= 1;
            if idle[index].is_ready() {
                return Some(idle.remove(index));
            }
            if idle[index].is_closed() {
                idle.remove(index);
            }
        }
        None
    }

    async fn connect(&self) -> Result<SendRequest<B>, SendError> {
        let failed = |error| SendError::Connect(self.address, error);
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(self.address));
        let stream = connecting.await.map_err(|late| failed(late.into()))?.map_err(failed)?;
        // Without it a request's body waits for the acknowledgement of its head.
        let _ = stream.set_nodelay(true);
        match &self.tls {
            None => Ok(open(stream).await?),
            Some((connector, name)) => {
                let handshake = tokio::time::timeout(CONNECT_TIMEOUT, connector.connect(name.clone(), stream));
                Ok(open(handshake.await.map_err(|late| failed(late.into()))?.map_err(failed)?).await?)
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<SendRequest<B>>> {
        self.idle.lock().expect("nothing panics while it holds the connections")
    }
}

async fn open<B, S>(stream: S) -> hyper::Result<SendRequest<B>>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (connection, driver) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        if let Err(error) = driver.await {
            tracing::debug!("a kept connection ended: {error}");
        }
    });
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A server whose keep-alive timeout is shorter than ours must not cost a request.
    #[tokio::test]
    async fn a_kept_connection_that_was_closed_meanwhile_is_not_used() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let connections = Connections::new(listener.local_addr().expect("an address"));
        let serving = tokio::spawn(async move {
            for _ in 0..3 {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let mut request = [0; 1024];
                let read = stream.read(&mut request).await.expect("a request");
                assert!(read > 0);
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.expect("it is read");
            }
        });
        for _ in 0..3 {
            let request = Request::get("/").header("host", "a").body(Full::<Bytes>::default()).expect("a request");
            let (response, mut connection) = connections.send(request).await.expect("an answer");
            assert_eq!(response.into_body().collect().await.expect("a body").to_bytes(), "ok");
            // Kept although the server is about to close it, as after an answer without `Connection: close`.
            let _ = connection.ready().await;
            connections.lock().push(connection);
            while connections.lock().iter().any(|kept| !kept.is_closed()) {
                tokio::task::yield_now().await;
            }
        }
        serving.await.expect("three connections, three requests");
    }
}

//! The way past a gate into the server, for one user: the gate shows the server's own certificate to clients, and to the
//! server one that says it is the user.

use std::io;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::certificates::{acceptor, provider};
use crate::database_certificate::Pair;
use crate::world::load_balancer::Certificate;

/// Asks a server for TLS: a length of eight bytes, and the code of the question.
const TLS_PLEASE: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// The way in.
#[derive(Clone)]
pub struct Passage {
    /// Where the server listens.
    pub(crate) host: &'static str,
    pub(crate) port: u16,
    /// The user whose certificate the gate has.
    pub(crate) user: String,
    /// Shows the server's certificate to clients.
    pub(crate) acceptor: TlsAcceptor,
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Passage {
    pub(super) fn new(
        (host, port): (&'static str, u16),
        user: &str,
        server: &Pair,
        client: &Pair,
        (issuer, name): (&[u8], &str),
    ) -> Result<Self> {
        let shown = Certificate { arn: String::new(), der: server.certificate.clone(), key: server.key.clone() };
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(issuer.to_vec())).context("the database's authority is none")?;
        let key = PrivateKeyDer::Pkcs8(client.key.clone().into());
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![CertificateDer::from(client.certificate.clone())], key)?;
        Ok(Self {
            host,
            port,
            user: user.to_owned(),
            acceptor: acceptor(&shown)?,
            connector: TlsConnector::from(Arc::new(config)),
            name: ServerName::try_from(name.to_owned()).context("the certificate has no name")?,
        })
    }

    /// As anybody.
    pub(crate) async fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect((self.host, self.port)).await
    }

    /// As the user.
    pub(crate) async fn connect_as_user(&self) -> io::Result<TlsStream<TcpStream>> {
        let mut server = self.connect().await?;
        server.write_all(&TLS_PLEASE).await?;
        if server.read_u8().await? != b'S' {
            return Err(io::Error::other("the server speaks no TLS"));
        }
        self.connector.connect(self.name.clone(), server).await
    }
}

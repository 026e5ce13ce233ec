//! A certificate authority that lives as long as one benchmark, so that the endpoints speak real TLS.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// Writes the authority's certificate into `folder` and returns its path, with an acceptor for `127.0.0.1`.
pub(crate) fn make(folder: &Path) -> Result<(PathBuf, TlsAcceptor)> {
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "greenlight benchmark authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let authority_key = KeyPair::generate()?;
    let root = authority.self_signed(&authority_key)?;
    let path = folder.join("authority.pem");
    std::fs::write(&path, root.pem()).context("the authority's certificate cannot be written")?;

    let mut endpoint = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
    endpoint.use_authority_key_identifier_extension = true;
    endpoint.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    endpoint.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = endpoint.signed_by(&key, &Issuer::new(authority, authority_key))?;

    let private = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)?;
    Ok((path, TlsAcceptor::from(Arc::new(config))))
}

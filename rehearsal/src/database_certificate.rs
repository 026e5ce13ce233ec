//! The server's certificate, and the authority that signs it and nothing else: both live as long as the server.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// What the server shows to who connects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// A certificate for its address, signed by the authority that clients are told to trust.
    #[default]
    Trusted,
    /// One for its address, signed by an authority that nobody knows.
    OfAnotherAuthority,
    /// One of the trusted authority, for another name.
    ForAnotherName,
}

/// Files of one server, in its folder.
pub(crate) struct Files {
    /// The authority that clients are told to trust.
    pub(crate) authority: PathBuf,
    /// The server's certificate.
    pub(crate) certificate: PathBuf,
    /// Its key.
    pub(crate) key: PathBuf,
    /// The same in memory.
    pub(crate) server: Pair,
    /// The authority that signed it, DER, and the name it is for.
    pub(crate) issuer: (Vec<u8>, String),
    /// The certificate of one user, of the trusted authority, where one was asked for.
    pub(crate) client: Option<Pair>,
}

/// A certificate and its key (PKCS #8), DER.
pub(crate) struct Pair {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

/// Writes them.
pub(crate) fn write(folder: &Path, host: &str, shown: Shown, user: Option<&str>) -> Result<Files> {
    let (trusted, trusted_root) = authority("greenlight rehearsal: database authority")?;
    let client = user.map(|user| of_user(user, &trusted)).transpose()?;
    let trusted_pem = trusted_root.pem();
    let (issuer, root) = match shown {
        Shown::OfAnotherAuthority => authority("greenlight rehearsal: an authority that nobody knows")?,
        Shown::Trusted | Shown::ForAnotherName => (trusted, trusted_root),
    };
    let name = if shown == Shown::ForAnotherName { "other.database.internal" } else { host };
    let mut server = CertificateParams::new([name.to_owned()])?;
    server.use_authority_key_identifier_extension = true;
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &issuer)?;
    let files = Files {
        authority: folder.join("authority.pem"),
        certificate: folder.join("server.pem"),
        key: folder.join("server.key"),
        server: Pair { certificate: certificate.der().to_vec(), key: key.serialize_der() },
        issuer: (root.der().to_vec(), name.to_owned()),
        client,
    };
    for (path, text) in
        [(&files.authority, trusted_pem), (&files.certificate, certificate.pem()), (&files.key, key.serialize_pem())]
    {
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(files)
}

/// PostgreSQL takes the common name for the user's.
fn of_user(user: &str, issuer: &Issuer<'static, KeyPair>) -> Result<Pair> {
    let mut client = CertificateParams::default();
    client.distinguished_name.push(DnType::CommonName, user);
    client.use_authority_key_identifier_extension = true;
    client.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate()?;
    let certificate = client.signed_by(&key, issuer)?;
    Ok(Pair { certificate: certificate.der().to_vec(), key: key.serialize_der() })
}

fn authority(name: &str) -> Result<(Issuer<'static, KeyPair>, Certificate)> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let key = KeyPair::generate()?;
    let root = params.self_signed(&key)?;
    Ok((Issuer::new(params, key), root))
}

//! The server's certificate, and the authority that signs it and nothing else: both live as long as the server.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
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
pub(super) struct Files {
    /// The authority that clients are told to trust.
    pub(super) authority: PathBuf,
    /// The server's certificate.
    pub(super) certificate: PathBuf,
    /// Its key.
    pub(super) key: PathBuf,
}

/// Writes them.
pub(super) fn write(folder: &Path, host: &str, shown: Shown) -> Result<Files> {
    let (trusted, trusted_pem) = authority("greenlight rehearsal: database authority")?;
    let issuer = match shown {
        Shown::OfAnotherAuthority => authority("greenlight rehearsal: an authority that nobody knows")?.0,
        Shown::Trusted | Shown::ForAnotherName => trusted,
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
    };
    for (path, text) in
        [(&files.authority, trusted_pem), (&files.certificate, certificate.pem()), (&files.key, key.serialize_pem())]
    {
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(files)
}

fn authority(name: &str) -> Result<(Issuer<'static, KeyPair>, String)> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let key = KeyPair::generate()?;
    let pem = params.self_signed(&key)?.pem();
    Ok((Issuer::new(params, key), pem))
}

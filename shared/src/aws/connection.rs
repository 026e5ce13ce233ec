//! How AWS is reached: one HTTP client with the five roots that AWS endpoints chain to, credentials from the
//! environment, and a limit on every wait, so that an endpoint that hangs cannot eat the deadline.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::settings::{Settings, SettingsError};

/// Amazon Root CA 1 to 4 and Starfield Services Root CA G2. All of the system's roots would cost a millisecond of every
/// cold start.
const AMAZON_ROOTS: &str = include_str!("roots.pem");

/// One connection attempt. AWS endpoints answer in milliseconds; a missing NAT gateway never does.
const CONNECT: Duration = Duration::from_millis(1500);

/// One attempt of one call.
const ATTEMPT: Duration = Duration::from_secs(5);

/// One call with its attempts.
const CALL: Duration = Duration::from_secs(13);

/// How often one call is attempted. What is transient beyond that is asked again by whoever asked.
const ATTEMPTS: u32 = 3;

/// Why AWS cannot be called at all.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The environment lacks something.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The file with the roots cannot be read.
    #[error("AWS_CA_BUNDLE names {path}, which cannot be read")]
    Roots {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The roots are none.
    #[error("the file that AWS_CA_BUNDLE names does not hold PEM certificates of certificate authorities")]
    Tls,
}

pub(super) fn config(settings: &Settings) -> Result<SdkConfig, ConnectionError> {
    let (region, keys) = settings.identity()?;
    let credentials = Credentials::new(
        keys.key_id.clone(),
        keys.secret_key.expose(),
        keys.session_token.as_ref().map(|token| token.expose().to_owned()),
        None,
        "environment",
    );
    let roots = match &settings.aws_roots {
        None => AMAZON_ROOTS.to_owned(),
        Some(path) => {
            std::fs::read_to_string(path).map_err(|source| ConnectionError::Roots { path: path.clone(), source })?
        }
    };
    if settings.aws_roots.is_some() && !are_roots(&roots) {
        return Err(ConnectionError::Tls);
    }
    let trust = TrustStore::empty().with_pem_certificate(roots);
    let tls = TlsContext::builder().with_trust_store(trust).build().map_err(|_| ConnectionError::Tls)?;
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::rustls(CryptoMode::Ring))
        .tls_context(tls)
        .build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(CALL)
        .build();
    let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(Duration::from_millis(200));
    let mut config = SdkConfig::builder()
        .behavior_version(aws_sdk_codedeploy::config::BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(retries);
    config.set_endpoint_url(settings.endpoint.clone());
    Ok(config.build())
}

/// The HTTP client would panic over anything else, at the first call.
fn are_roots(pem: &str) -> bool {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let Ok(certificates) = certificates else { return false };
    let mut store = RootCertStore::empty();
    !certificates.is_empty() && certificates.into_iter().all(|certificate| store.add(certificate).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_five_roots_are_five_roots() {
        assert!(are_roots(AMAZON_ROOTS));
        assert_eq!(AMAZON_ROOTS.matches("BEGIN CERTIFICATE").count(), 5);
        assert!(!are_roots("") && !are_roots("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
    }
}

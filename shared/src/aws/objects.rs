//! S3, for the two calls that hooks make of it: its own client would be a sixth of every hook. The requests are put together
//! and signed here; connections, timeouts and attempts are the SDK's, as for every other call.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>

mod listing;

use std::fmt;
use std::time::SystemTime;

use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use aws_types::SdkConfig;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

pub(super) use self::listing::Page;
use crate::ports::BucketFolder;

/// An object, and how much of it is wanted.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    /// In a versioned bucket.
    pub(super) version: Option<&'a str>,
    /// Bytes; what is behind them is not sent.
    pub(super) at_most: usize,
}

/// S3's *no*.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct ObjectError(ErrorMetadata);

impl ProvideErrorMetadata for ObjectError {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

/// Why S3 gave nothing.
pub(super) type ObjectsRefused = SdkError<ObjectError, HttpResponse>;

/// What a key keeps as it is: the unreserved characters, and the slashes between its parts.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The object's first bytes, as many as are wanted at most.
pub(super) async fn get(config: &SdkConfig, wanted: Wanted<'_>) -> Result<Vec<u8>, ObjectsRefused> {
    let range = format!("bytes=0-{}", wanted.at_most.saturating_sub(1));
    let question = Question { operation: "GetObject", path: path(&wanted), range: Some(range) };
    ask(config, question, read).await
}

/// One page of what lies in this folder, the one that `token` leads to.
pub(super) async fn list(
    config: &SdkConfig,
    folder: &BucketFolder,
    token: Option<&str>,
) -> Result<Page, ObjectsRefused> {
    let question = Question { operation: "ListObjectsV2", path: listing::path(folder, token), range: None };
    ask(config, question, |response| match response.status().as_u16() {
        200 => listing::read(response.body().bytes().unwrap_or_default()).map_err(OrchestratorError::other),
        _ => Err(refused(response)),
    })
    .await
}

/// A GET.
struct Question {
    operation: &'static str,
    /// Path and query.
    path: String,
    range: Option<String>,
}

async fn ask<T: fmt::Debug + Send + Sync + 'static>(
    config: &SdkConfig,
    question: Question,
    read: fn(&HttpResponse) -> Result<T, OrchestratorError<ObjectError>>,
) -> Result<T, ObjectsRefused> {
    let credentials = config.credentials_provider().ok_or_else(|| SdkError::construction_failure("no credentials"))?;
    let credentials = credentials.provide_credentials().await.map_err(SdkError::construction_failure)?;
    let http = config.http_client().ok_or_else(|| SdkError::construction_failure("no HTTP client"))?;
    let region = config.region().map(AsRef::as_ref).unwrap_or_default().to_owned();
    let endpoint = match config.endpoint_url() {
        Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
        None => endpoint(&region),
    };
    let url = format!("{endpoint}{}", question.path);
    let range = question.range;
    let identity = Identity::from(credentials);
    let mut operation = Operation::builder()
        .service_name("s3")
        .operation_name(question.operation)
        .http_client(http)
        .endpoint_url(&endpoint)
        .no_auth()
        .retry_classifier(HttpStatusCodeClassifier::default())
        .retry_classifier(TransientErrorClassifier::<ObjectError>::new())
        .serializer(move |()| signed(&url, range.as_deref(), &region, &identity, SystemTime::now()))
        .deserializer(read);
    if let Some(retries) = config.retry_config() {
        operation = operation.standard_retry(retries);
    }
    if let Some(timeouts) = config.timeout_config() {
        operation = operation.timeout_config(timeouts.clone());
    }
    operation.build().invoke(()).await
}

/// A bucket as part of the path is the only form that every bucket's name and every certificate allows.
fn endpoint(region: &str) -> String {
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://s3.{region}.{domain}")
}

fn path(wanted: &Wanted<'_>) -> String {
    let key = utf8_percent_encode(wanted.key, KEPT);
    let version =
        wanted.version.map(|version| format!("?versionId={}", utf8_percent_encode(version, NON_ALPHANUMERIC)));
    format!("/{}/{key}{}", wanted.bucket, version.unwrap_or_default())
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
fn signed(
    url: &str,
    range: Option<&str>,
    region: &str,
    identity: &Identity,
    now: SystemTime,
) -> Result<HttpRequest, BoxError> {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let parameters =
        SigningParams::builder().identity(identity).region(region).name("s3").time(now).settings(settings).build()?;
    let headers = range.into_iter().map(|range| ("range", range));
    let signable = SignableRequest::new("GET", url, headers, SignableBody::Bytes(&[]))?;
    let (instructions, _) = sign(signable, &parameters.into())?.into_parts();
    let mut request = HttpRequest::new(SdkBody::empty());
    request.set_uri(url)?;
    if let Some(range) = range {
        request.headers_mut().try_insert("range", range.to_owned())?;
    }
    for (name, value) in instructions.headers() {
        request.headers_mut().try_insert(name.to_owned(), value.to_owned())?;
    }
    Ok(request)
}

fn read(response: &HttpResponse) -> Result<Vec<u8>, OrchestratorError<ObjectError>> {
    let body = response.body().bytes().unwrap_or_default();
    // An empty object has no first byte that could be asked for.
    match response.status().as_u16() {
        200 | 206 => Ok(body.to_vec()),
        416 => Ok(Vec::new()),
        _ => Err(refused(response)),
    }
}

fn refused(response: &HttpResponse) -> OrchestratorError<ObjectError> {
    let body = response.body().bytes().unwrap_or_default();
    OrchestratorError::operation(ObjectError(refusal(&String::from_utf8_lossy(body))))
}

/// `<Error><Code>NoSuchKey</Code><Message>…</Message>…</Error>`.
fn refusal(body: &str) -> ErrorMetadata {
    let leaf = |name: &str| {
        let (_, rest) = body.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
    };
    let mut meta = ErrorMetadata::builder();
    if let Some(code) = leaf("Code") {
        meta = meta.code(code);
    }
    if let Some(message) = leaf("Message") {
        meta = meta.message(message);
    }
    meta.build()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use aws_credential_types::Credentials;

    use super::*;

    /// AWS's own example of a signed GET of a part of an object.
    #[test]
    fn a_request_is_signed_as_in_the_example_of_the_documentation() {
        let key = "AKIAIOSFODNN7EXAMPLE";
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let identity = Identity::from(Credentials::new(key, secret, None, None, "the documentation"));
        let time = UNIX_EPOCH + Duration::from_secs(1_369_353_600);
        let url = "https://examplebucket.s3.amazonaws.com/test.txt";
        let request = signed(url, Some("bytes=0-9"), "us-east-1", &identity, time).expect("it can be signed");
        let signature = request.headers().get("authorization").unwrap_or_default();
        assert_eq!(
            signature,
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
             SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, \
             Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
    }

    #[test]
    fn a_key_keeps_its_slashes_and_nothing_else_that_has_a_meaning() {
        let wanted = Wanted { bucket: "shop", key: "orders/app spec+1?.yaml", version: Some("a/b="), at_most: 1 };
        assert_eq!(path(&wanted), "/shop/orders/app%20spec%2B1%3F.yaml?versionId=a%2Fb%3D");
        assert_eq!(endpoint("cn-north-1"), "https://s3.cn-north-1.amazonaws.com.cn");
    }

    #[test]
    fn a_refusal_is_read_by_code_and_message() {
        let meta = refusal("<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>None.</Message></Error>");
        assert_eq!((meta.code(), meta.message()), (Some("NoSuchKey"), Some("None.")));
        assert_eq!(refusal("<html>").code(), None);
    }
}

//! What a request is: its service, its protocol, its operation, who signed it.

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;

/// A service that has at least a name here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    CloudWatch,
    CodeDeploy,
    Ecr,
    Ecs,
    Elbv2,
    Lambda,
    Logs,
    Rds,
    S3,
    SecretsManager,
    Ssm,
    Sts,
}

/// How a request and its answer are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// `X-Amz-Target` and JSON, version 1.0 or 1.1.
    Json {
        /// Content type of the answer.
        content_type: &'static str,
    },
    /// A form in, XML out.
    Query,
    /// `/service/…/operation/…` and CBOR.
    Cbor,
    /// Paths and methods, XML errors: S3.
    RestXml,
    /// Paths and methods, JSON errors: Lambda.
    RestJson,
}

impl Protocol {
    /// Whether the names of its errors end in `Exception`.
    pub(crate) fn is_modern(self) -> bool {
        matches!(self, Self::Json { .. } | Self::Cbor | Self::RestJson)
    }
}

/// The credential scope of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) access_key: String,
    /// Absent in `SigV4a`, which signs for several Regions.
    pub(crate) region: Option<String>,
    pub(crate) service: String,
}

/// Signing name and `X-Amz-Target` prefix (where it has one) of each service, and how IAM calls it.
const SERVICES: [(Service, &str, Option<&str>, &str); 12] = [
    (Service::CloudWatch, "monitoring", Some("GraniteServiceVersion20100801"), "cloudwatch"),
    (Service::CodeDeploy, "codedeploy", Some("CodeDeploy_20141006"), "codedeploy"),
    (Service::Ecr, "ecr", Some("AmazonEC2ContainerRegistry_V20150921"), "ecr"),
    (Service::Ecs, "ecs", Some("AmazonEC2ContainerServiceV20141113"), "ecs"),
    (Service::Elbv2, "elasticloadbalancing", None, "elasticloadbalancing"),
    (Service::Lambda, "lambda", None, "lambda"),
    (Service::Logs, "logs", Some("Logs_20140328"), "logs"),
    (Service::Rds, "rds", None, "rds"),
    (Service::S3, "s3", None, "s3"),
    (Service::SecretsManager, "secretsmanager", Some("secretsmanager"), "secretsmanager"),
    (Service::Ssm, "ssm", Some("AmazonSSM"), "ssm"),
    (Service::Sts, "sts", None, "sts"),
];

impl Service {
    /// As IAM and the log of calls name it.
    pub(crate) fn iam_name(self) -> &'static str {
        SERVICES.iter().find(|row| row.0 == self).map_or("", |row| row.3)
    }

    fn signed_as(name: &str) -> Option<Self> {
        SERVICES.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    fn targeted_by(prefix: &str) -> Option<Self> {
        SERVICES.iter().find(|row| row.2 == Some(prefix)).map(|row| row.0)
    }
}

impl Scope {
    /// The scope of a signed request, from its header or from the query of a presigned URL.
    pub(crate) fn of(parts: &Parts) -> Option<Self> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        match header {
            Some(header) => {
                let credential = header.split_once("Credential=")?.1;
                Self::parse(credential.split([',', ' ']).next()?)
            }
            None => form_urlencoded::parse(parts.uri.query()?.as_bytes())
                .find(|(name, _)| name == "X-Amz-Credential")
                .and_then(|(_, credential)| Self::parse(&credential)),
        }
    }

    /// `AKID/20261121/eu-west-1/codedeploy/aws4_request`, or without the Region.
    fn parse(credential: &str) -> Option<Self> {
        let parts: Vec<&str> = credential.split('/').collect();
        let (key, region, service) = match parts.as_slice() {
            [key, _, region, service, "aws4_request"] => (key, Some((*region).to_owned()), service),
            [key, _, service, "aws4_request"] => (key, None, service),
            _ => return None,
        };
        Some(Self { access_key: (*key).to_owned(), region, service: (*service).to_owned() })
    }
}

/// Protocol, service and operation of a request. The operation is empty where the path decides it (S3, Lambda).
pub(crate) fn recognise(
    parts: &Parts,
    scope: Option<&Scope>,
    form: &[(String, String)],
) -> (Protocol, Option<Service>, String) {
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let signed = scope.and_then(|scope| Service::signed_as(&scope.service));
    if let Some(target) = text("x-amz-target") {
        let (prefix, operation) = target.rsplit_once('.').unwrap_or(("", target));
        let version_1_0 = text(CONTENT_TYPE.as_str()).is_some_and(|it| it.contains("amz-json-1.0"));
        let content_type = if version_1_0 { "application/x-amz-json-1.0" } else { "application/x-amz-json-1.1" };
        return (Protocol::Json { content_type }, Service::targeted_by(prefix).or(signed), operation.to_owned());
    }
    let mut path = parts.uri.path().trim_start_matches('/').split('/');
    if let (Some("service"), Some(service), Some("operation"), Some(operation)) =
        (path.next(), path.next(), path.next(), path.next())
        && text("smithy-protocol").is_some()
    {
        let service = Service::targeted_by(service).or(signed);
        return (Protocol::Cbor, service, operation.to_owned());
    }
    match signed {
        Some(Service::S3) => return (Protocol::RestXml, signed, String::new()),
        Some(Service::Lambda) => return (Protocol::RestJson, signed, String::new()),
        _ => {}
    }
    let action = form.iter().find(|(name, _)| name == "Action").map(|(_, action)| action.clone());
    (Protocol::Query, signed, action.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(build: impl FnOnce(http::request::Builder) -> http::request::Builder) -> Parts {
        build(http::Request::builder()).body(()).expect("a request").into_parts().0
    }

    #[test]
    fn the_scope_of_a_signature_names_key_region_and_service() {
        let parts = parts(|it| {
            it.header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIDHOOK/20261121/eu-west-1/codedeploy/aws4_request, \
                 SignedHeaders=host, Signature=0",
            )
        });
        let scope = Scope::of(&parts).expect("it is signed");
        assert_eq!(
            (scope.access_key.as_str(), scope.region.as_deref(), scope.service.as_str()),
            ("AKIDHOOK", Some("eu-west-1"), "codedeploy")
        );
    }

    #[test]
    fn a_signature_for_several_regions_and_a_presigned_url_have_a_scope_too() {
        let several =
            parts(|it| it.header("authorization", "AWS4-ECDSA-P256-SHA256 Credential=AK/20261121/s3/aws4_request,"));
        assert_eq!(Scope::of(&several).map(|it| (it.region, it.service)), Some((None, "s3".to_owned())));
        let presigned = parts(|it| it.uri("/b/k?X-Amz-Credential=AK%2F20261121%2Feu-west-1%2Fs3%2Faws4_request"));
        assert_eq!(Scope::of(&presigned).map(|it| it.service), Some("s3".to_owned()));
    }

    #[test]
    fn an_unsigned_request_has_no_scope() {
        assert_eq!(Scope::of(&parts(|it| it.uri("/"))), None);
        assert_eq!(Scope::of(&parts(|it| it.header("authorization", "Basic YTpi"))), None);
    }

    #[test]
    fn a_target_header_decides_service_and_operation() {
        let parts = parts(|it| it.header("x-amz-target", "AmazonEC2ContainerServiceV20141113.DescribeServices"));
        let (protocol, service, operation) = recognise(&parts, None, &[]);
        assert_eq!(protocol, Protocol::Json { content_type: "application/x-amz-json-1.1" });
        assert_eq!((service, operation.as_str()), (Some(Service::Ecs), "DescribeServices"));
    }

    #[test]
    fn a_path_with_service_and_operation_is_cbor() {
        let parts = parts(|it| {
            it.uri("/service/GraniteServiceVersion20100801/operation/DescribeAlarms")
                .header("smithy-protocol", "rpc-v2-cbor")
        });
        let recognised = recognise(&parts, None, &[]);
        assert_eq!(recognised, (Protocol::Cbor, Some(Service::CloudWatch), "DescribeAlarms".to_owned()));
    }
}

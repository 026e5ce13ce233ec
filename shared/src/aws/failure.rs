//! An error of the SDK in words: which action, of which object, AWS's code and message, the request id, and what to do.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;

use crate::check::CannotTell;
use crate::report::words::{LINE, chain, one_line};

/// Codes with which AWS says *too fast*, whether or not the operation's model has them.
const THROTTLED: [&str; 8] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
];

/// Codes with which AWS says that the role may not.
const DENIED: [&str; 4] = ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"];

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The role lacks a permission.
    Denied,
    /// Too many calls.
    Throttled,
    /// No answer: no connection, or none in time.
    Unreachable,
    /// AWS is unwell, or what came is no answer.
    Broken,
    /// AWS says no, with this code.
    Refused,
}

impl Kind {
    /// Whether the same call may go through a little later.
    pub(super) const fn is_transient(self) -> bool {
        matches!(self, Self::Throttled | Self::Unreachable | Self::Broken)
    }
}

/// Why AWS did not answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refusal(String);

/// The kind of failure.
pub(super) fn kind<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Kind {
    match error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) => Kind::Unreachable,
        SdkError::ResponseError(_) => Kind::Broken,
        SdkError::ServiceError(context) => {
            let status = context.raw().status().as_u16();
            match context.err().code() {
                Some(code) if THROTTLED.contains(&code) => Kind::Throttled,
                Some(code) if DENIED.contains(&code) => Kind::Denied,
                None if status == 403 => Kind::Denied,
                _ if status == 429 => Kind::Throttled,
                _ if status >= 500 => Kind::Broken,
                _ => Kind::Refused,
            }
        }
        _ => Kind::Refused,
    }
}

/// AWS's error code, where it gave one.
pub(super) fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error.code()
}

/// Code, message and request id on one line.
pub(super) fn words<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let request = error.request_id().map(|id| format!(" (request {})", one_line(id, 80))).unwrap_or_default();
    let text = match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        (None, Some(message)) => message.to_owned(),
        (None, None) => match error {
            SdkError::ServiceError(context) => format!("HTTP status {}", context.raw().status().as_u16()),
            SdkError::ResponseError(context) => {
                format!("HTTP status {} with a body that is no answer", context.raw().status().as_u16())
            }
            SdkError::TimeoutError(_) => "no answer in time".to_owned(),
            other => chain(other),
        },
    };
    format!("{}{request}", one_line(&text, LINE))
}

/// A call that failed, for a row of the report. `action` is its IAM name, `codedeploy:GetDeployment`.
pub(super) fn explain<E>(action: &str, object: &str, error: &SdkError<E, HttpResponse>) -> CannotTell
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let kind = kind(error);
    let service = action.split(':').next().unwrap_or(action);
    let remedy = match kind {
        Kind::Denied => format!("Allow {action} in the function's role, then redeploy."),
        Kind::Throttled => "Deploy fewer services at the same time, or have the account's API rate raised.".to_owned(),
        Kind::Unreachable => {
            format!("Give the function a way to {service}: a NAT gateway, or a VPC endpoint for it; then redeploy.")
        }
        Kind::Broken => "Look at the AWS Health Dashboard, then redeploy.".to_owned(),
        Kind::Refused => format!("Compare {} with what the deployment group names.", one_line(object, 200)),
    };
    CannotTell {
        asked: format!("{action} of {}", one_line(object, 200)),
        remedy,
        transient: kind.is_transient(),
        source: Some(Box::new(Refusal(words(error)))),
    }
}

/// An answer that lacks what every such answer has.
pub(super) fn incomplete(action: &str, object: &str, lacks: &str) -> CannotTell {
    CannotTell {
        asked: format!("{action} of {}", one_line(object, 200)),
        remedy: "Look at the object in the console, then redeploy.".to_owned(),
        transient: false,
        source: Some(Box::new(Refusal(format!("the answer has no {lacks}")))),
    }
}

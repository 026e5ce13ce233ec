//! An error that a client sees, before it is written in the client's protocol.

use http::StatusCode;

use crate::codedeploy::api::ApiError;

/// A refusal: the error's code, its message and the HTTP status it is sent with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) status: StatusCode,
}

impl Refusal {
    /// A refusal with status 400.
    pub(crate) fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), status: StatusCode::BAD_REQUEST }
    }

    /// The same with another status.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// What AWS has and the rehearsal has not: `what` is `ecs:RunTask`, or a parameter of an operation.
    pub(crate) fn not_implemented(what: &str) -> Self {
        Self::new("NotImplementedException", format!("the rehearsal does not implement {what}; see docs/limits.md"))
            .with_status(StatusCode::NOT_IMPLEMENTED)
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self::new(error.code, error.message)
    }
}

//! Faults of AWS endpoints, injected on purpose.

use std::time::Duration;

/// One fault: which calls it strikes, how, and how often.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Name of the function whose calls it strikes; everybody's when `None`.
    pub caller: Option<String>,
    /// Operation, for example `PutLifecycleEventHookExecutionStatus`.
    pub operation: String,
    /// What happens instead of an answer.
    pub kind: FaultKind,
    /// How many of these calls it lets pass before.
    pub after: u32,
    /// How many calls it strikes before it is used up; every one when `None`.
    pub times: Option<u32>,
}

/// What happens instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// 400 `AccessDeniedException`, in IAM's words.
    AccessDenied,
    /// 400 `ThrottlingException`.
    Throttled,
    /// 500 `InternalFailure`.
    ServerError,
    /// 503 `ServiceUnavailable`.
    Unavailable,
    /// 400 `ExpiredTokenException`.
    ExpiredToken,
    /// The connection is closed without an answer.
    Reset,
    /// No answer, ever.
    Hang,
    /// The answer comes, but this much later in real time.
    Delay(Duration),
    /// 200 with a body that is not of the protocol.
    Garbage,
    /// 200 with an empty result.
    Empty,
    /// The answer ends in its middle, and the connection with it.
    Truncated,
    /// The answer is called a page.
    WrongType,
}

impl FaultKind {
    /// In words.
    pub fn name(&self) -> &'static str {
        match self {
            Self::AccessDenied => "access denied",
            Self::Throttled => "throttled",
            Self::ServerError => "an internal failure",
            Self::Unavailable => "service unavailable",
            Self::ExpiredToken => "an expired token",
            Self::Reset => "a reset connection",
            Self::Hang => "no answer",
            Self::Delay(_) => "a late answer",
            Self::Garbage => "garbage",
            Self::Empty => "an empty answer",
            Self::Truncated => "half an answer",
            Self::WrongType => "a wrong content type",
        }
    }
}

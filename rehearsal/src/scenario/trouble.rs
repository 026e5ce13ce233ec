//! What a scenario breaks on purpose: hooks and AWS endpoints.

use std::collections::BTreeMap;

use greenlight::document::Spanned;
use greenlight::stage::Stage;
use greenlight::units::Span;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::rules;
use crate::setup::{REPORT_FAILURE, function_name};
use crate::world::faults::FaultKind;

/// A function in place of greenlight's own, or settings for it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HookSpec {
    /// A shell command that is the function's `bootstrap`; greenlight's own hook when missing.
    #[serde(default, deserialize_with = "rules::command")]
    pub command: Option<String>,
    /// Leaves the hook out of the AppSpec.
    #[serde(default)]
    pub none: Option<Spanned<bool>>,
    /// Timeout of the function, in real time.
    #[serde(default, deserialize_with = "rules::function_timeout")]
    pub timeout: Option<Span>,
    /// Memory of the function in MiB.
    #[serde(default, deserialize_with = "rules::memory")]
    pub memory: Option<u32>,
    /// Kills its process (SIGKILL) so long after it got its event, in real time.
    #[serde(default)]
    pub killed_after: Option<Span>,
    /// More environment variables.
    #[serde(default, deserialize_with = "rules::environment")]
    pub environment: BTreeMap<String, String>,
}

impl HookSpec {
    /// Whether the AppSpec leaves it out.
    pub fn is_left_out(&self) -> bool {
        self.none.as_ref().is_some_and(|none| none.value)
    }
}

/// What a person writes into `/greenlight/<application>/<deployment group>/proceed`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProceedSpec {
    /// Alarms that may fire.
    pub alarms: Vec<String>,
    /// How long from the beginning on.
    pub lasts: Span,
    /// Why.
    pub reason: String,
}

impl ProceedSpec {
    /// The parameter's text when a client's clock says so.
    pub(crate) fn parameter(&self, now: Timestamp) -> String {
        let until = now + self.lasts.duration();
        serde_json::json!({ "alarms": self.alarms, "until": format!("{until:.0}"), "reason": self.reason }).to_string()
    }
}

/// A fault of an AWS endpoint.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultSpec {
    /// The operation, for example `PutLifecycleEventHookExecutionStatus`.
    #[serde(deserialize_with = "rules::operation")]
    pub operation: String,
    /// Whose calls; everybody's when missing.
    #[serde(default)]
    pub by: Option<Caller>,
    /// What happens.
    pub answer: FaultKindSpec,
    /// How many calls; every one when missing.
    #[serde(default, deserialize_with = "rules::times")]
    pub times: Option<u32>,
}

/// A function of greenlight's: a hook, by its lifecycle event, or the one that answers for hooks that died.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words are those of the lifecycle events")]
pub enum Caller {
    BeforeInstall,
    AfterInstall,
    AfterAllowTestTraffic,
    BeforeAllowTraffic,
    AfterAllowTraffic,
    ReportFailure,
}

impl Caller {
    /// The function's name.
    pub fn function(self) -> String {
        self.stage().map_or_else(|| REPORT_FAILURE.to_owned(), function_name)
    }

    /// `after-install`.
    pub fn name(self) -> &'static str {
        self.stage().map_or("report-failure", Stage::hook_name)
    }

    fn stage(self) -> Option<Stage> {
        Some(match self {
            Self::BeforeInstall => Stage::BeforeInstall,
            Self::AfterInstall => Stage::AfterInstall,
            Self::AfterAllowTestTraffic => Stage::AfterAllowTestTraffic,
            Self::BeforeAllowTraffic => Stage::BeforeAllowTraffic,
            Self::AfterAllowTraffic => Stage::AfterAllowTraffic,
            Self::ReportFailure => return None,
        })
    }
}

/// What happens instead of an answer.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words are those of `FaultKind`")]
pub enum FaultKindSpec {
    AccessDenied,
    Throttled,
    ServerError,
    Unavailable,
    ExpiredToken,
    Reset,
    Hang,
    Garbage,
    Empty,
}

impl FaultKindSpec {
    /// The endpoint's fault.
    pub fn kind(self) -> FaultKind {
        match self {
            Self::AccessDenied => FaultKind::AccessDenied,
            Self::Throttled => FaultKind::Throttled,
            Self::ServerError => FaultKind::ServerError,
            Self::Unavailable => FaultKind::Unavailable,
            Self::ExpiredToken => FaultKind::ExpiredToken,
            Self::Reset => FaultKind::Reset,
            Self::Hang => FaultKind::Hang,
            Self::Garbage => FaultKind::Garbage,
            Self::Empty => FaultKind::Empty,
        }
    }
}

//! The checks, each named for what must be true, each in a file of its own.

use crate::plan::Severity;

/// The id of every check, in the order in which a deployment meets them.
pub const IDS: [&str; 14] = [
    "task-definition-is-active",
    "container-matches-load-balancer",
    "listeners-are-wired",
    "blue-is-healthy",
    "alarms-are-quiet",
    "rollback-is-armed",
    "green-runs-target-revision",
    "green-tasks-are-steady",
    "green-targets-are-healthy",
    "green-answers",
    "requests-pass",
    "migrations-apply",
    "production-serves-green",
    "alarms-stay-quiet",
];

/// What a *no* of this check does where the plan does not say.
///
/// `rollback-is-armed` only advises: a group without automatic rollback is a choice a team may have made, and stopping
/// its deployments would make nothing safer.
pub fn default_severity(check: &str) -> Severity {
    match check {
        "rollback-is-armed" => Severity::Advisory,
        _ => Severity::Blocking,
    }
}

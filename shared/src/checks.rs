//! The checks, each named for what must be true, each in a file of its own.

mod alarms;
mod alarms_are_quiet;
mod alarms_stay_quiet;
mod blue_is_healthy;
mod container_matches_load_balancer;
mod green;
mod green_answers;
mod green_runs_target_revision;
mod green_targets_are_healthy;
mod green_tasks_are_steady;
mod listeners_are_wired;
mod production_serves_green;
mod proof;
mod requests_pass;
mod rollback_is_armed;
mod route;
mod sending;
mod targets;
mod task_definition_is_active;
mod words;

#[cfg(test)]
mod told;

pub use self::alarms_are_quiet::AlarmsAreQuiet;
pub use self::alarms_stay_quiet::{AlarmsStayQuiet, DEFAULT_BAKE};
pub use self::blue_is_healthy::BlueIsHealthy;
pub use self::container_matches_load_balancer::ContainerMatchesLoadBalancer;
pub use self::green_answers::GreenAnswers;
pub use self::green_runs_target_revision::GreenRunsTargetRevision;
pub use self::green_targets_are_healthy::GreenTargetsAreHealthy;
pub use self::green_tasks_are_steady::GreenTasksAreSteady;
pub use self::listeners_are_wired::ListenersAreWired;
pub use self::production_serves_green::ProductionServesGreen;
pub use self::requests_pass::RequestsPass;
pub use self::rollback_is_armed::RollbackIsArmed;
pub use self::task_definition_is_active::TaskDefinitionIsActive;
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

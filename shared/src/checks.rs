//! The checks, each named for what must be true, each in a file of its own.

mod alarms;
mod alarms_are_quiet;
mod alarms_stay_quiet;
mod alias_serves_version;
mod blue_and_green_agree;
mod blue_is_healthy;
mod container_matches_load_balancer;
mod difference;
mod green;
mod green_answers;
mod green_is_no_worse_than_blue;
mod green_runs_target_revision;
mod green_spans_zones;
mod green_targets_are_healthy;
mod green_tasks_are_steady;
mod health_check_is_sound;
mod images_exist;
mod judging;
pub mod last_words;
mod listeners_are_wired;
mod load_holds;
mod proceed;
mod production_serves_green;
mod proof;
mod requests_pass;
mod rollback_is_armed;
mod route;
mod secret_source;
mod secrets_exist;
mod sending;
pub mod since;
mod targets;
mod task_definition_is_active;
mod version_answers;
mod words;

#[cfg(test)]
mod told;

pub use self::alarms_are_quiet::AlarmsAreQuiet;
pub use self::alarms_stay_quiet::{AlarmsStayQuiet, DEFAULT_BAKE};
pub use self::alias_serves_version::AliasServesVersion;
pub use self::blue_and_green_agree::BlueAndGreenAgree;
pub use self::blue_is_healthy::BlueIsHealthy;
pub use self::container_matches_load_balancer::ContainerMatchesLoadBalancer;
pub use self::green_answers::GreenAnswers;
pub use self::green_is_no_worse_than_blue::GreenIsNoWorseThanBlue;
pub use self::green_runs_target_revision::GreenRunsTargetRevision;
pub use self::green_spans_zones::GreenSpansZones;
pub use self::green_targets_are_healthy::GreenTargetsAreHealthy;
pub use self::green_tasks_are_steady::GreenTasksAreSteady;
pub use self::health_check_is_sound::HealthCheckIsSound;
pub use self::images_exist::ImagesExist;
pub use self::listeners_are_wired::ListenersAreWired;
pub use self::load_holds::LoadHolds;
pub use self::production_serves_green::ProductionServesGreen;
pub use self::requests_pass::RequestsPass;
pub use self::rollback_is_armed::RollbackIsArmed;
pub use self::secrets_exist::SecretsExist;
pub use self::task_definition_is_active::TaskDefinitionIsActive;
pub use self::version_answers::VersionAnswers;
use crate::plan::Severity;

/// The id of every check, in the order in which a deployment meets them; at the end those that only a function's meets.
pub const IDS: [&str; 25] = [
    "task-definition-is-active",
    "container-matches-load-balancer",
    "images-exist",
    "secrets-exist",
    "listeners-are-wired",
    "blue-is-healthy",
    "alarms-are-quiet",
    "rollback-is-armed",
    "health-check-is-sound",
    "database-is-available",
    "green-runs-target-revision",
    "green-tasks-are-steady",
    "green-targets-are-healthy",
    "green-spans-zones",
    "green-answers",
    "requests-pass",
    "load-holds",
    "blue-and-green-agree",
    "migrations-keep-blue-alive",
    "migrations-apply",
    "production-serves-green",
    "alarms-stay-quiet",
    "green-is-no-worse-than-blue",
    "version-answers",
    "alias-serves-version",
];

/// What a *no* of this check does where the plan does not say.
///
/// `rollback-is-armed` only advises: a group without automatic rollback is a choice a team may have made, and stopping
/// its deployments would make nothing safer. So does `green-spans-zones`: when a zone is ill, ECS starts tasks elsewhere,
/// and that is no time to stop the fix.
pub fn default_severity(check: &str) -> Severity {
    match check {
        "green-spans-zones" | "rollback-is-armed" => Severity::Advisory,
        _ => Severity::Blocking,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::check::Check;
    use crate::deployment::FunctionDeployment;
    use crate::plan::Plan;

    /// Has what some checks are not asked without.
    const PLAN: &str = "
version: 1
test_traffic:
  requests: [{ name: ready, get: /ready }]
  load: { rate: 50/s, for: 20s, expect: { errors: \"< 0.1%\" } }
  compare_with_blue: {}
";

    fn of_functions() -> Vec<Box<dyn Check<FunctionDeployment>>> {
        vec![Box::new(VersionAnswers::from_plan(&Plan::defaults())), Box::new(AliasServesVersion::new())]
    }

    fn all() -> Vec<Box<dyn Check>> {
        let plan = Plan::parse(PLAN, "plan.yaml").expect("a plan");
        let defaults = Plan::defaults();
        vec![
            Box::new(TaskDefinitionIsActive),
            Box::new(ContainerMatchesLoadBalancer),
            Box::new(ImagesExist::from_plan(&plan)),
            Box::new(SecretsExist),
            Box::new(ListenersAreWired),
            Box::new(BlueIsHealthy),
            Box::new(AlarmsAreQuiet),
            Box::new(RollbackIsArmed),
            Box::new(HealthCheckIsSound),
            Box::new(GreenRunsTargetRevision),
            Box::new(GreenTasksAreSteady),
            Box::new(GreenTargetsAreHealthy::new()),
            Box::new(GreenSpansZones),
            Box::new(GreenAnswers::from_plan(&defaults)),
            Box::new(RequestsPass::on_test(&defaults)),
            Box::new(LoadHolds::from_plan(&plan).expect("the plan has a load")),
            Box::new(BlueAndGreenAgree::from_plan(&plan).expect("the plan compares")),
            Box::new(ProductionServesGreen::from_plan(&defaults)),
            Box::new(AlarmsStayQuiet::from_plan(&defaults)),
            Box::new(GreenIsNoWorseThanBlue::from_plan(&defaults)),
        ]
    }

    /// They need a database's driver, and live with their hooks.
    const OF_HOOKS: [&str; 3] = ["database-is-available", "migrations-keep-blue-alive", "migrations-apply"];

    #[test]
    fn every_check_of_the_library_is_in_the_list() {
        let mut ids: Vec<&str> = all().iter().map(|check| check.id()).collect();
        ids.extend(of_functions().iter().map(|check| check.id()));
        let listed: Vec<&str> = IDS.into_iter().filter(|id| !OF_HOOKS.contains(id)).collect();
        assert_eq!(ids, listed);
    }

    #[test]
    fn every_check_has_a_page_that_begins_with_its_question() {
        let asked = all().into_iter().map(|check| (check.id(), check.question()));
        let of_functions = of_functions().into_iter().map(|check| (check.id(), check.question()));
        for (id, question) in asked.chain(of_functions) {
            let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/checks/{id}.md"));
            let text = std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
            let start = format!("# {id}\n\n**{question}**\n");
            assert!(text.starts_with(&start), "{} begins with\n{start}", page.display());
        }
    }
}

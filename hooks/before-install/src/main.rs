//! `BeforeInstall`: the last look before anything is started: blue is well, and green has a way to come and to go back.

use before_install::DatabaseIsAvailable;
use greenlight::checks::{
    AlarmsAreQuiet, BlueIsHealthy, ContainerMatchesLoadBalancer, HealthCheckIsSound, ImagesExist, ListenersAreWired,
    RollbackIsArmed, SecretsExist, TaskDefinitionIsActive,
};
use greenlight::{Check, Checks, Plan, PlanError, ServeError, Stage};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ServeError> {
    greenlight::serve(Stage::BeforeInstall, Checks::Planned(checks)).await
}

/// In the order in which they are reported.
fn checks(plan: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
    Ok(vec![
        Box::new(TaskDefinitionIsActive),
        Box::new(ContainerMatchesLoadBalancer),
        Box::new(ImagesExist::from_plan(plan)),
        Box::new(SecretsExist),
        Box::new(ListenersAreWired),
        Box::new(BlueIsHealthy),
        Box::new(AlarmsAreQuiet),
        Box::new(RollbackIsArmed),
        Box::new(HealthCheckIsSound),
        Box::new(DatabaseIsAvailable::from_plan(plan)),
    ])
}

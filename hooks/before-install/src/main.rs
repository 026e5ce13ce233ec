//! `BeforeInstall`: the last look before anything is started: blue is well, and green has a way to come and to go back.
//! ECS, in its own deployments, calls it at `PRE_SCALE_UP`.

use before_install::DatabaseIsAvailable;
use greenlight::checks::{
    AlarmsAreQuiet, BlueIsHealthy, ContainerMatchesLoadBalancer, HealthCheckIsSound, ImagesExist, ListenersAreWired,
    RollbackIsArmed, SecretsExist, TaskDefinitionIsActive,
};
use greenlight::{Checks, ServeError, Stage};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ServeError> {
    let checks = Checks::fixed(|| {
        vec![
            Box::new(TaskDefinitionIsActive),
            Box::new(ContainerMatchesLoadBalancer),
            Box::new(SecretsExist),
            Box::new(ListenersAreWired),
            Box::new(BlueIsHealthy),
            Box::new(AlarmsAreQuiet),
            Box::new(RollbackIsArmed),
            Box::new(HealthCheckIsSound),
        ]
    })
    .and_planned(|plan| {
        Ok(vec![Box::new(ImagesExist::from_plan(plan)), Box::new(DatabaseIsAvailable::from_plan(plan))])
    });
    greenlight::serve(Stage::BeforeInstall, checks).await
}

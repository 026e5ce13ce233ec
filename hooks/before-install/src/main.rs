//! `BeforeInstall`: the last look before anything is started: blue is well, and green has a way to come and to go back.

use greenlight::checks::{
    AlarmsAreQuiet, BlueIsHealthy, ContainerMatchesLoadBalancer, ListenersAreWired, RollbackIsArmed,
    TaskDefinitionIsActive,
};
use greenlight::{Check, Checks, ServeError, Stage};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ServeError> {
    greenlight::serve(Stage::BeforeInstall, Checks::Fixed(checks)).await
}

/// In the order in which they are reported.
fn checks() -> Vec<Box<dyn Check>> {
    vec![
        Box::new(TaskDefinitionIsActive),
        Box::new(ContainerMatchesLoadBalancer),
        Box::new(ListenersAreWired),
        Box::new(BlueIsHealthy),
        Box::new(AlarmsAreQuiet),
        Box::new(RollbackIsArmed),
    ]
}

//! `BeforeAllowTraffic`: the last moment at which every user is still on blue.

use before_allow_traffic::after_migrations::in_order;
use before_allow_traffic::migrations_apply::MigrationsApply;
use before_allow_traffic::settings::Settings;
use greenlight::checks::{AlarmsAreQuiet, RollbackIsArmed, VersionAnswers};
use greenlight::deployment::FunctionDeployment;
use greenlight::{Check, Checks, Plan, PlanError, Questions, ServeError, Stage};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ServeError> {
    let questions = Questions::of_both(Checks::planned(of_service), Checks::planned(of_function));
    greenlight::serve(Stage::BeforeAllowTraffic, questions).await
}

/// In the order in which they are reported.
fn of_service(plan: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
    Ok(vec![Box::new(MigrationsApply::new(Settings::read(plan)))])
}

/// The first hook of a function's deployment, so it asks what a service's is asked before it begins, too.
fn of_function(plan: &Plan) -> Result<Vec<Box<dyn Check<FunctionDeployment>>>, PlanError> {
    let migrations = MigrationsApply::new(Settings::read(plan));
    let [migrations, answers] = in_order(migrations, VersionAnswers::from_plan(plan));
    Ok(vec![Box::new(AlarmsAreQuiet), Box::new(RollbackIsArmed), migrations, answers])
}

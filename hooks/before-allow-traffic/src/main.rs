//! `BeforeAllowTraffic`: the last moment at which every user is still on blue.
//! ECS, in its own deployments, calls it at `PRE_SCALE_UP` or
//! `PRE_PRODUCTION_TRAFFIC_SHIFT`.

use before_allow_traffic::in_order::in_order;
use before_allow_traffic::of_database;
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
    Ok(in_order(plan, of_database(plan)))
}

/// The first hook of a function's deployment, so it asks what a service's is asked before it begins, too.
fn of_function(plan: &Plan) -> Result<Vec<Box<dyn Check<FunctionDeployment>>>, PlanError> {
    let mut checks: Vec<Box<dyn Check<FunctionDeployment>>> = vec![Box::new(AlarmsAreQuiet), Box::new(RollbackIsArmed)];
    let mut last = of_database(plan);
    last.push(Box::new(VersionAnswers::from_plan(plan)));
    checks.extend(in_order(plan, last));
    Ok(checks)
}

//! `AfterAllowTestTraffic`: the last look at green before users reach it: it answers, answers right, and holds.
//! ECS, in its own deployments, calls it at `POST_TEST_TRAFFIC_SHIFT`.

use greenlight::checks::{BlueAndGreenAgree, GreenAnswers, LoadHolds, RequestsPass};
use greenlight::{Check, Checks, Plan, PlanError, ServeError, Stage};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ServeError> {
    greenlight::serve(Stage::AfterAllowTestTraffic, Checks::planned(checks)).await
}

/// In the order in which they are reported.
fn checks(plan: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
    let mut checks: Vec<Box<dyn Check>> =
        vec![Box::new(GreenAnswers::from_plan(plan)), Box::new(RequestsPass::on_test(plan))];
    if let Some(load_holds) = LoadHolds::from_plan(plan) {
        checks.push(Box::new(load_holds));
    }
    if let Some(agree) = BlueAndGreenAgree::from_plan(plan) {
        checks.push(Box::new(agree));
    }
    Ok(checks)
}

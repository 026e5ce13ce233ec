//! `AfterAllowTestTraffic`: the last look at green before users reach it: it answers, and answers right.

use greenlight::checks::{GreenAnswers, RequestsPass};
use greenlight::{Check, Checks, Plan, PlanError, ServeError, Stage};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ServeError> {
    greenlight::serve(Stage::AfterAllowTestTraffic, Checks::Planned(checks)).await
}

/// In the order in which they are reported.
fn checks(plan: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
    Ok(vec![Box::new(GreenAnswers::from_plan(plan)), Box::new(RequestsPass::on_test(plan))])
}

//! `AfterAllowTraffic`: users are on green while blue is still there to go back to.

use greenlight::checks::{AlarmsStayQuiet, GreenIsNoWorseThanBlue, ProductionServesGreen, RequestsPass};
use greenlight::{Check, Checks, Plan, PlanError, ServeError, Stage};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ServeError> {
    greenlight::serve(Stage::AfterAllowTraffic, Checks::Planned(checks)).await
}

/// In the order in which they are reported.
fn checks(plan: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
    Ok(vec![
        Box::new(ProductionServesGreen::from_plan(plan)),
        Box::new(RequestsPass::on_production(plan)),
        Box::new(AlarmsStayQuiet::from_plan(plan)),
        Box::new(GreenIsNoWorseThanBlue::from_plan(plan)),
    ])
}

//! `AfterAllowTraffic`: users are on green while blue is still there to go back to.
//! ECS calls it at `POST_PRODUCTION_TRAFFIC_SHIFT`, and at `PRE_PRODUCTION_TRAFFIC_SHIFT` to judge every step.

use greenlight::checks::{
    AlarmsStayQuiet, AliasServesVersion, GreenIsNoWorseThanBlue, ProductionServesGreen, RequestsPass,
};
use greenlight::deployment::FunctionDeployment;
use greenlight::{Check, Checks, Plan, PlanError, Questions, ServeError, Stage};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ServeError> {
    let service = Checks::planned(of_service).looking_ahead(AlarmsStayQuiet::look_ahead);
    let function = Checks::planned(of_function).looking_ahead(AlarmsStayQuiet::look_ahead);
    greenlight::serve(Stage::AfterAllowTraffic, Questions::of_both(service, function)).await
}

/// In the order in which they are reported.
fn of_service(plan: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
    Ok(vec![
        Box::new(ProductionServesGreen::from_plan(plan)),
        Box::new(RequestsPass::on_production(plan)),
        Box::new(AlarmsStayQuiet::from_plan(plan)),
        Box::new(GreenIsNoWorseThanBlue::from_plan(plan)),
    ])
}

/// As above, of a function's deployment.
fn of_function(plan: &Plan) -> Result<Vec<Box<dyn Check<FunctionDeployment>>>, PlanError> {
    Ok(vec![Box::new(AliasServesVersion::new()), Box::new(AlarmsStayQuiet::from_plan(plan))])
}

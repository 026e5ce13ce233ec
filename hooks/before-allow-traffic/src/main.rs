//! `BeforeAllowTraffic`: the last moment at which every user is still on blue.

use before_allow_traffic::migrations_apply::MigrationsApply;
use before_allow_traffic::settings::Settings;
use greenlight::{Check, Checks, Plan, PlanError, ServeError, Stage};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ServeError> {
    greenlight::serve(Stage::BeforeAllowTraffic, Checks::Planned(checks)).await
}

/// In the order they are reported.
fn checks(plan: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
    Ok(vec![Box::new(MigrationsApply::new(Settings::read(plan)))])
}

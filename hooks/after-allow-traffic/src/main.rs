//! AfterAllowTraffic: users are on green, and blue is still there.

use greenlight::{Check, Plan, PlanError, ServeError, Stage};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ServeError> {
    greenlight::serve(Stage::AfterAllowTraffic, checks).await
}

/// In the order in which they are reported.
fn checks(_plan: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
    Ok(Vec::new())
}

//! AfterAllowTestTraffic: the last look at green before users reach it.

use greenlight::{Check, Plan, PlanError, ServeError, Stage};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ServeError> {
    greenlight::serve(Stage::AfterAllowTestTraffic, checks).await
}

/// In the order in which they are reported.
fn checks(_plan: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
    Ok(Vec::new())
}

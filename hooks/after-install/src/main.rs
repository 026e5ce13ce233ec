//! AfterInstall: green runs; nobody has seen it yet.

use greenlight::{Check, Plan, PlanError, ServeError, Stage};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ServeError> {
    greenlight::serve(Stage::AfterInstall, checks).await
}

/// In the order in which they are reported.
fn checks(_plan: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
    Ok(Vec::new())
}

//! `AfterInstall`: green runs, and nobody has seen it yet: the right version, all of it, and steady.

use greenlight::checks::{GreenRunsTargetRevision, GreenTargetsAreHealthy, GreenTasksAreSteady};
use greenlight::{Check, Plan, PlanError, ServeError, Stage};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ServeError> {
    greenlight::serve(Stage::AfterInstall, checks).await
}

/// In the order in which they are reported.
fn checks(_plan: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
    Ok(vec![Box::new(GreenRunsTargetRevision), Box::new(GreenTasksAreSteady), Box::new(GreenTargetsAreHealthy::new())])
}

//! `AfterInstall`: green runs, and nobody has seen it yet: the right version, all of it, and steady.
//! ECS, in its own deployments, calls it at `POST_SCALE_UP`.

use greenlight::checks::{GreenRunsTargetRevision, GreenSpansZones, GreenTargetsAreHealthy, GreenTasksAreSteady};
use greenlight::{Check, Checks, ServeError, Stage};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ServeError> {
    greenlight::serve(Stage::AfterInstall, Checks::fixed(checks)).await
}

/// In the order in which they are reported.
fn checks() -> Vec<Box<dyn Check>> {
    vec![
        Box::new(GreenRunsTargetRevision),
        Box::new(GreenTasksAreSteady),
        Box::new(GreenTargetsAreHealthy::new()),
        Box::new(GreenSpansZones),
    ]
}

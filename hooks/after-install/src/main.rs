//! `AfterInstall`: green runs, and nobody has seen it yet: the right version, all of it, and steady.

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

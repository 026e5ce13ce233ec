//! `report-failure`: answers CodeDeploy in the place of a hook that died. No lifecycle event calls it, AWS does: with the event
//! of the hook that died, or with what Lambda has logged of it.

use greenlight::ServeError;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ServeError> {
    report_failure::serve().await
}

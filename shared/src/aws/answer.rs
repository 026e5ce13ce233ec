//! The call that answers CodeDeploy. Its retries are the answer's own: the SDK tries once.

use async_trait::async_trait;
use aws_sdk_codedeploy::types::LifecycleEventStatus;
use aws_smithy_types::retry::RetryConfig;

use super::Aws;
use super::failure::{code, kind, words};
use crate::answer::{Answers, PutError};
use crate::event::Event;
use crate::report::Verdict;

#[async_trait]
impl Answers for Aws {
    async fn put(&self, event: &Event, verdict: Verdict) -> Result<(), PutError> {
        let status = match verdict {
            Verdict::Proceed => LifecycleEventStatus::Succeeded,
            Verdict::Stop => LifecycleEventStatus::Failed,
        };
        let once = aws_sdk_codedeploy::config::Builder::new().retry_config(RetryConfig::disabled());
        let call = self
            .codedeploy()
            .put_lifecycle_event_hook_execution_status()
            .deployment_id(&event.deployment.0)
            .lifecycle_event_hook_execution_id(&event.execution.0)
            .status(status);
        match call.customize().config_override(once).send().await {
            Ok(taken) if taken.lifecycle_event_hook_execution_id() == Some(&event.execution.0) => Ok(()),
            // Whoever stands between us and CodeDeploy may have said so.
            Ok(_) => Err(PutError::Transient("CodeDeploy's answer does not name the hook execution".to_owned())),
            Err(error) if code(&error) == Some("LifecycleEventAlreadyCompletedException") => {
                Err(PutError::AlreadyCompleted)
            }
            Err(error) if kind(&error).is_transient() => Err(PutError::Transient(words(&error))),
            Err(error) => Err(PutError::Refused(words(&error))),
        }
    }
}

//! The answer to CodeDeploy: delivered once, or the loudest line in the log. A hook that stays silent costs an hour.
//!
//! <https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_PutLifecycleEventHookExecutionStatus.html>

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt as _;
use tokio::time::{Instant, sleep, timeout_at};

use crate::deadline::Deadline;
use crate::event::Event;
use crate::report::Verdict;
use crate::run::panic_text;

/// Where answers go.
#[async_trait]
pub trait Answers: Send + Sync {
    /// Sends the answer once.
    async fn put(&self, event: &Event, verdict: Verdict) -> Result<(), PutError>;
}

/// Why one attempt did not deliver the answer.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The lifecycle event is over: answered before, timed out, or the deployment was stopped.
    #[error("the lifecycle event is already completed")]
    AlreadyCompleted,
    /// The next attempt may go through.
    #[error("{0}")]
    Transient(String),
    /// No attempt will go through.
    #[error("{0}")]
    Refused(String),
}

/// What became of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// CodeDeploy has taken it.
    Delivered,
    /// CodeDeploy does not wait for it any more. This does not say which answer counted.
    NotOurs,
}

/// CodeDeploy waits, and does not know the answer.
#[derive(Debug, thiserror::Error)]
#[error("the answer {status} could not be delivered (attempts: {attempts}): {reason}; deliver it by hand: {command}")]
pub struct DeliveryError {
    /// `Succeeded` or `Failed`.
    pub status: &'static str,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub reason: String,
    /// The command line that delivers it.
    pub command: String,
}

impl DeliveryError {
    /// Nobody could even try.
    pub(crate) fn unsent(event: &Event, verdict: Verdict, region: &str, reason: String) -> Self {
        Self { status: status(verdict), attempts: 0, reason, command: command(event, verdict, region) }
    }
}

/// Longest time for one attempt.
const ATTEMPT: Duration = Duration::from_secs(4);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The first attempt gets this long even where the time seems to be over: nothing is lost by it, and clocks may be wrong.
const AT_LEAST: Duration = Duration::from_secs(2);

/// Kept for the last log line and the function's return before Lambda kills it.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// CodeDeploy's word for the verdict. It takes no other than these two.
pub const fn status(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Proceed => "Succeeded",
        Verdict::Stop => "Failed",
    }
}

/// Delivers the verdict: again and again until CodeDeploy takes it, refuses it, or Lambda is about to kill the process.
pub async fn deliver(
    answers: &dyn Answers,
    event: &Event,
    verdict: Verdict,
    region: &str,
    deadline: &Deadline,
) -> Result<Delivery, DeliveryError> {
    let end = deadline.killed_at.checked_sub(LAST_WORDS).unwrap_or(deadline.killed_at);
    let mut pause = FIRST_PAUSE;
    let mut attempts = 0;
    let reason = loop {
        attempts += 1;
        let limit = end.min(Instant::now() + ATTEMPT);
        let limit = if attempts == 1 { limit.max(Instant::now() + AT_LEAST) } else { limit };
        let attempt = AssertUnwindSafe(answers.put(event, verdict)).catch_unwind();
        let reason = match timeout_at(limit, attempt).await {
            Ok(Ok(Ok(()))) => return Ok(Delivery::Delivered),
            Ok(Ok(Err(PutError::AlreadyCompleted))) => return Ok(Delivery::NotOurs),
            Ok(Ok(Err(PutError::Refused(reason)))) => break reason,
            Ok(Ok(Err(PutError::Transient(reason)))) => reason,
            Ok(Err(panic)) => panic_text(panic.as_ref()),
            Err(_) => "CodeDeploy did not answer in time".to_owned(),
        };
        if Instant::now() + pause >= end {
            break reason;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    };
    Err(DeliveryError { status: status(verdict), attempts, reason, command: command(event, verdict, region) })
}

/// The command line that delivers the answer by hand.
pub fn command(event: &Event, verdict: Verdict, region: &str) -> String {
    format!(
        "aws deploy put-lifecycle-event-hook-execution-status --deployment-id {} --lifecycle-event-hook-execution-id {} \
         --status {} --region {}",
        quoted(&event.deployment.0),
        quoted(&event.execution.0),
        status(verdict),
        quoted(region)
    )
}

/// As one word of a shell, whatever is in it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/' | '=' | '+' | '@');
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::deployment::{DeploymentId, HookExecutionId};

    #[test]
    fn the_command_can_be_pasted_into_a_shell() {
        let event = Event {
            deployment: DeploymentId("d-3QX9ZK2LE".to_owned()),
            execution: HookExecutionId("eyJ=; rm '".to_owned()),
        };
        assert_snapshot!(command(&event, Verdict::Stop, "eu-central-1"), @r"aws deploy put-lifecycle-event-hook-execution-status --deployment-id d-3QX9ZK2LE --lifecycle-event-hook-execution-id 'eyJ=; rm '\''' --status Failed --region eu-central-1");
    }
}

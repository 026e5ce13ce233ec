//! What is asked again in another invocation: by ECS, or by the hook itself where CodeDeploy waits for its answer.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use tracing::error;

use super::{Hook, Judged};
use crate::check::Waits;
use crate::deadline::Deadline;
use crate::deployment::DeploymentId;
use crate::kept::{KEY, Kept};
use crate::ports::Caller;
use crate::report::words::chain;
use crate::report::{Outcome, Row};
use crate::run::Asked;

/// For so long one question is waited for, from its first time on. CodeDeploy waits an hour for the answer; ECS would wait
/// for a day.
const PATIENCE: SignedDuration = SignedDuration::from_mins(55);

/// Longest time for leaving oneself an event.
const TO_CALL: Duration = Duration::from_secs(4);

/// When nothing is waited for any more that was asked first then.
pub(super) fn patience_ends(since: Timestamp) -> Instant {
    let left = (since + PATIENCE).duration_since(Timestamp::now()).max(SignedDuration::ZERO);
    Instant::now() + left.unsigned_abs()
}

/// When it is to be asked again; `None` where the answer is known: all has been asked, or something that blocks is a no.
pub(super) fn again_in(asked: &[Asked]) -> Option<Duration> {
    let blocking = || asked.iter().filter(|asked| !asked.row.advisory);
    if blocking().any(|asked| asked.again_in.is_none() && asked.row.outcome != Outcome::Passed) {
        return None;
    }
    blocking().filter_map(|asked| asked.again_in).min()
}

/// That nobody can go on from what was left.
pub(super) fn unreadable(why: &str) -> Row {
    super::failed(
        "hook-details-are-readable",
        "Can this hook go on from what it left?",
        why.to_owned(),
        "Take hookDetails out of the hook's configuration, or deploy again: another version of this function began.",
    )
}

impl Hook {
    /// CodeDeploy's hooks wait themselves, and go on in another invocation where their role lets them call themselves.
    pub(super) fn waits(&self, kept: &Kept) -> Waits {
        match (&self.checks.function, &self.function) {
            (Some(_), Some(_)) => Waits::ThenElsewhere { until: patience_ends(kept.since()) },
            _ => Waits::Here,
        }
    }

    /// What the next invocation must know.
    pub(super) fn keep(&self, asked: &[Asked], kept: &mut Kept) {
        for Asked { row, again_in, remembered } in asked {
            if row.outcome == Outcome::Passed {
                kept.keep_passed(&row.id, &self.redactions.clean(&row.evidence));
            } else if let (Some(_), Some(remembered)) = (again_in, remembered) {
                kept.keep_remembered(&row.id, remembered.clone());
            }
        }
    }

    /// Leaves itself CodeDeploy's event, with what is known by now. Whether it did.
    pub(super) async fn calls_again(
        &self,
        id: &DeploymentId,
        event: &Value,
        judged: &Judged,
        deadline: &Deadline,
    ) -> bool {
        let (Some(of_functions), Some(function)) = (&self.checks.function, &self.function) else { return false };
        let Some(mut kept) = judged.kept.clone().filter(|_| again_in(&judged.rows).is_some()) else { return false };
        self.keep(&judged.rows, &mut kept);
        let mut event = event.clone();
        event[KEY] = kept.details()[KEY].take();
        let caller = Caller { hook: self.stage.hook_name(), deployment: id.clone() };
        let ports = (self.outside.ports)(caller);
        let called = (of_functions.call_again)(&ports, function, event.to_string());
        let limit = deadline.last_resort.min(Instant::now() + TO_CALL);
        let why = match timeout_at(limit, called).await {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => chain(&error),
            Err(_) => "Lambda did not answer in time".to_owned(),
        };
        error!(deployment.id = %id, "this hook cannot go on in another invocation, so it ends here: {why}");
        false
    }
}

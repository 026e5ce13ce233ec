//! What a hook's function answers by returning it.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/lambda-lifecycle-hooks.html>

use std::time::Duration;

use serde_json::{Map, Value};

use crate::world::functions::InvocationStatus;

/// How long ECS waits before it calls a function again that does not say.
pub const CALLS_BACK_AFTER: Duration = Duration::from_secs(30);

/// The longest that a function can have ECS wait: nobody waits for a deployment for so long.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-blue-green.html>
pub const LATEST_CALL_BACK: Duration = Duration::from_secs(30 * 24 * 3600);

/// What became of one invocation of a hook.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// `SUCCEEDED`.
    Succeeded,
    /// `FAILED`.
    Failed,
    /// `IN_PROGRESS`.
    InProgress {
        /// `callBackDelay`: when it is called again.
        after: Duration,
        /// `hookDetails`, to be merged into what it is given then.
        details: Map<String, Value>,
    },
    /// Nothing that counts: why. ECS takes it for a no.
    Invalid(String),
}

impl Answer {
    /// What an invocation that has ended says.
    pub fn of(status: &InvocationStatus) -> Self {
        match status {
            InvocationStatus::Returned(text) => Self::read(text),
            InvocationStatus::Errored(_) => Self::Invalid("it returned an error".to_owned()),
            InvocationStatus::TimedOut => Self::Invalid("it ran into its timeout".to_owned()),
            InvocationStatus::OutOfMemory => Self::Invalid("it ran out of memory".to_owned()),
            InvocationStatus::Crashed(how) => Self::Invalid(format!("it ended before it answered, {how}")),
            InvocationStatus::NotInvokable(reason) => Self::Invalid(format!("it cannot be invoked: {reason}")),
            InvocationStatus::Queued | InvocationStatus::Running => Self::Invalid("it has not ended".to_owned()),
        }
    }

    fn read(text: &str) -> Self {
        let answer: Value = serde_json::from_str(text).unwrap_or_default();
        let said = || format!("it returned {} without a valid hookStatus", cut(text));
        match answer["hookStatus"].as_str() {
            Some("SUCCEEDED") => Self::Succeeded,
            Some("FAILED") => Self::Failed,
            Some("IN_PROGRESS") => Self::InProgress {
                after: answer["callBackDelay"]
                    .as_u64()
                    .map_or(CALLS_BACK_AFTER, |seconds| Duration::from_secs(seconds).min(LATEST_CALL_BACK)),
                details: answer["hookDetails"].as_object().cloned().unwrap_or_default(),
            },
            Some(_) => Self::Invalid(said()),
            // What operators of AWS have seen.
            None => Self::Invalid(format!("HookStatus must not be null: {}", said())),
        }
    }
}

fn cut(text: &str) -> String {
    let short: String = text.chars().map(|it| if it.is_control() { ' ' } else { it }).take(120).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn returned(value: &Value) -> Answer {
        Answer::of(&InvocationStatus::Returned(value.to_string()))
    }

    fn reason(answer: Answer) -> String {
        match answer {
            Answer::Invalid(reason) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_three_statuses_are_understood() {
        assert_eq!(returned(&json!({"hookStatus": "SUCCEEDED"})), Answer::Succeeded);
        assert_eq!(returned(&json!({"hookStatus": "FAILED", "reason": "no"})), Answer::Failed);
        let details = Map::from_iter([("since".to_owned(), json!(7))]);
        assert_eq!(
            returned(&json!({"hookStatus": "IN_PROGRESS", "callBackDelay": 5, "hookDetails": {"since": 7}})),
            Answer::InProgress { after: Duration::from_secs(5), details }
        );
    }

    #[test]
    fn who_does_not_say_when_is_called_again_after_half_a_minute() {
        let usual = Answer::InProgress { after: Duration::from_secs(30), details: Map::new() };
        assert_eq!(returned(&json!({"hookStatus": "IN_PROGRESS"})), usual);
        assert_eq!(returned(&json!({"hookStatus": "IN_PROGRESS", "callBackDelaySeconds": 5})), usual);
    }

    #[test]
    fn whatever_else_is_returned_counts_for_nothing() {
        for other in
            [json!(null), json!("SUCCEEDED"), json!({}), json!(["SUCCEEDED"]), json!({"HookStatus": "SUCCEEDED"})]
        {
            let reason = reason(returned(&other));
            assert!(reason.starts_with("HookStatus must not be null"), "{reason}");
        }
        let reason = reason(returned(&json!({"hookStatus": "succeeded"})));
        assert_eq!(reason, r#"it returned {"hookStatus":"succeeded"} without a valid hookStatus"#);
        let error = Answer::of(&InvocationStatus::TimedOut);
        assert_eq!(error, Answer::Invalid("it ran into its timeout".to_owned()));
    }
}

//! The event a hook is called with: which deployment, and where the answer goes. Nothing else is in CodeDeploy's; that of ECS
//! is in `lifecycle`.
//!
//! <https://docs.aws.amazon.com/codedeploy/latest/userguide/tutorial-ecs-with-hooks-create-hooks.html>

use serde_json::{Map, Value};

use crate::deployment::{DeploymentId, HookExecutionId};

mod lifecycle;

pub use self::lifecycle::{LifecycleEvent, ServiceDeploymentArn};

const DEPLOYMENT: &str = "DeploymentId";
const EXECUTION: &str = "LifecycleEventHookExecutionId";

/// CodeDeploy's event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What is deployed.
    pub deployment: DeploymentId,
    /// What the answer must name.
    pub execution: HookExecutionId,
}

/// Why nobody can be answered: the event does not say whom. Keys are shown, values never.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not a JSON object.
    #[error("the event is {0}, not an object with {DEPLOYMENT} and {EXECUTION}")]
    NotAnObject(&'static str),
    /// A key is missing.
    #[error("the event has no {missing}{hint}; keys seen: {seen}")]
    Missing {
        /// The key.
        missing: &'static str,
        /// `; it has deploymentId, but the case matters`, or nothing.
        hint: String,
        /// The keys there are.
        seen: String,
    },
    /// A value is no text, or an empty one.
    #[error("the event's {0} is not a non-empty text")]
    NotText(&'static str),
}

impl Event {
    /// Reads CodeDeploy's event. Further keys are tolerated.
    pub fn read(event: &Value) -> Result<Self, EventError> {
        let Value::Object(keys) = event else { return Err(EventError::NotAnObject(kind(event))) };
        Ok(Self {
            deployment: DeploymentId(text(keys, DEPLOYMENT)?),
            execution: HookExecutionId(text(keys, EXECUTION)?),
        })
    }
}

fn text(keys: &Map<String, Value>, key: &'static str) -> Result<String, EventError> {
    match keys.get(key) {
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text.clone()),
        Some(_) => Err(EventError::NotText(key)),
        None => {
            let similar = keys.keys().find(|seen| seen.eq_ignore_ascii_case(key));
            Err(EventError::Missing {
                missing: key,
                hint: similar.map(|seen| format!(" (it has {seen}: upper and lower case matter)")).unwrap_or_default(),
                seen: names(keys),
            })
        }
    }
}

/// The keys there are; capped, because the event may be anything.
fn names(keys: &Map<String, Value>) -> String {
    const SHOWN: usize = 12;
    if keys.is_empty() {
        return "none".to_owned();
    }
    let mut shown: Vec<String> = keys.keys().take(SHOWN).map(|key| crate::report::words::one_line(key, 60)).collect();
    if keys.len() > SHOWN {
        shown.push(format!("and {} more", keys.len() - SHOWN));
    }
    shown.join(", ")
}

pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_both_keys_and_tolerates_others() {
        let event = json!({"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "e-1", "Extra": true});
        let read = Event::read(&event).expect("both keys are there");
        assert_eq!(read.deployment.0, "d-1");
        assert_eq!(read.execution.0, "e-1");
    }

    #[test]
    fn a_key_in_the_wrong_case_is_named() {
        let event = json!({"deploymentId": "d-secret", "LifecycleEventHookExecutionId": "e-1"});
        assert_snapshot!(Event::read(&event).unwrap_err(), @"the event has no DeploymentId (it has deploymentId: upper and lower case matter); keys seen: LifecycleEventHookExecutionId, deploymentId");
    }

    #[test]
    fn a_missing_key_shows_the_keys_seen_and_no_value() {
        let event = json!({"DeploymentId": "d-secret", "token": "hunter2"});
        assert_snapshot!(Event::read(&event).unwrap_err(), @"the event has no LifecycleEventHookExecutionId; keys seen: DeploymentId, token");
    }

    #[test]
    fn an_empty_or_foreign_value_is_no_id() {
        for value in [json!(""), json!("  "), json!(7), json!(null), json!({})] {
            let event = json!({"DeploymentId": value, "LifecycleEventHookExecutionId": "e-1"});
            assert_eq!(Event::read(&event), Err(EventError::NotText("DeploymentId")));
        }
    }

    #[test]
    fn anything_but_an_object_is_called_by_its_kind() {
        assert_snapshot!(Event::read(&json!([1])).unwrap_err(), @"the event is a list, not an object with DeploymentId and LifecycleEventHookExecutionId");
        assert_snapshot!(Event::read(&json!({})).unwrap_err(), @"the event has no DeploymentId; keys seen: none");
    }
}

//! The event that a hook is called with: CodeDeploy's or ECS's, and what an earlier call left in it.

use greenlight::event::{Event, LifecycleEvent, ServiceDeploymentArn};
use greenlight::kept::Kept;
use serde_json::Value;

/// Bytes of a refusal at most: it names twelve keys, shortened.
const LONGEST: usize = 4 * 1024;

/// A text of so many characters is not in a refusal by chance.
const TELLING: usize = 12;

pub(crate) fn read(bytes: &[u8]) {
    let Ok(event) = serde_json::from_slice::<Value>(bytes) else { return };
    left_behind(&event);
    if LifecycleEvent::is_one(&event) {
        return of_ecs(&event);
    }
    match Event::read(&event) {
        Ok(read) => {
            assert!(!read.deployment.0.trim().is_empty(), "an answer must name the deployment");
            assert!(!read.execution.0.trim().is_empty(), "an answer must name the hook execution");
        }
        Err(refusal) => is_short(&refusal.to_string(), &event),
    }
}

fn of_ecs(event: &Value) {
    match LifecycleEvent::read(event) {
        Ok(read) => {
            assert!(!read.deployment.trim().is_empty(), "an answer must be about a deployment");
            if let Some(arn) = ServiceDeploymentArn::parse(&read.deployment) {
                assert!(!arn.id.contains(|c: char| c == '/' || c.is_whitespace()), "{arn:?}");
            }
            read.production_is_off_green();
        }
        Err(refusal) => is_short(&refusal.to_string(), event),
    }
}

/// What was left is read whole, or refused in a line.
fn left_behind(event: &Value) {
    let now = jiff::Timestamp::now();
    for details in [event, event.get("hookDetails").unwrap_or(&Value::Null)] {
        match Kept::read(details, "POST_SCALE_UP", now) {
            Ok(kept) => {
                let again = Kept::read(&kept.details(), "POST_SCALE_UP", now).expect("what is written can be read");
                assert_eq!(again, kept);
                assert!(kept.since() <= now);
            }
            Err(refusal) => {
                let refusal = refusal.to_string();
                assert!(!refusal.contains(char::is_control) && refusal.len() <= LONGEST, "{refusal:?}");
            }
        }
    }
}

fn is_short(refusal: &str, event: &Value) {
    assert!(!refusal.contains(char::is_control), "{refusal:?} has more than one line");
    assert!(refusal.len() <= LONGEST, "a refusal of {} bytes", refusal.len());
    shows_no_value(refusal, event);
}

/// Keys are shown, values never.
fn shows_no_value(refusal: &str, event: &Value) {
    let Value::Object(entries) = event else { return };
    let texts = entries.values().filter_map(Value::as_str).filter(|text| text.chars().count() >= TELLING);
    for text in texts {
        let is_of_a_key = entries.keys().any(|key| key.contains(text));
        let is_of_a_sentence =
            ["DeploymentId", "LifecycleEventHookExecutionId", "resourceArn"].iter().any(|it| it.contains(text));
        assert!(is_of_a_key || is_of_a_sentence || !refusal.contains(text), "{refusal:?} shows a value");
    }
}

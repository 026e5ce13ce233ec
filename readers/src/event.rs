//! The event that a hook is called with.

use greenlight::event::Event;
use serde_json::Value;

/// Bytes of a refusal at most: it names twelve keys, shortened.
const LONGEST: usize = 4 * 1024;

/// A text of so many characters is not in a refusal by chance.
const TELLING: usize = 12;

pub(crate) fn read(bytes: &[u8]) {
    let Ok(event) = serde_json::from_slice::<Value>(bytes) else { return };
    match Event::read(&event) {
        Ok(read) => {
            assert!(!read.deployment.0.trim().is_empty(), "an answer must name the deployment");
            assert!(!read.execution.0.trim().is_empty(), "an answer must name the hook execution");
        }
        Err(refusal) => {
            let refusal = refusal.to_string();
            assert!(!refusal.contains(char::is_control), "{refusal:?} has more than one line");
            assert!(refusal.len() <= LONGEST, "a refusal of {} bytes", refusal.len());
            shows_no_value(&refusal, &event);
        }
    }
}

/// Keys are shown, values never.
fn shows_no_value(refusal: &str, event: &Value) {
    let Value::Object(entries) = event else { return };
    let texts = entries.values().filter_map(Value::as_str).filter(|text| text.chars().count() >= TELLING);
    for text in texts {
        let is_of_a_key = entries.keys().any(|key| key.contains(text));
        let is_of_a_sentence = ["DeploymentId", "LifecycleEventHookExecutionId"].iter().any(|it| it.contains(text));
        assert!(is_of_a_key || is_of_a_sentence || !refusal.contains(text), "{refusal:?} shows a value");
    }
}

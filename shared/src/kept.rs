//! What one invocation leaves for the next, where a deployment waits longer than an invocation works: which checks have said
//! yes, and what the others have seen so far.
//!
//! ECS carries it in `hookDetails`, CodeDeploy's hooks in the event that they call themselves with. Whoever may change the
//! service can write into it too: nothing in it says where anything is, and it can only leave out a team's own questions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::report::words::one_line;

/// The key of greenlight's own part.
pub const KEY: &str = "greenlight";

/// The form that this version writes, and the only one that it reads.
const VERSION: u32 = 1;

/// Characters of evidence that are kept.
const EVIDENCE: usize = 300;

/// What is known so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    version: u32,
    /// What it is about: a stage that comes again begins anew.
    about: String,
    /// When it was asked first, by the function's clock.
    since: Timestamp,
    /// Checks that have said yes, with their evidence.
    #[serde(default)]
    passed: BTreeMap<String, String>,
    /// What the others must know when they are asked again.
    #[serde(default)]
    remembered: BTreeMap<String, Value>,
}

/// Why nobody can go on from what was left.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeptError {
    /// Nothing could be put into it.
    #[error("hookDetails is {0}, not an object")]
    NotAnObject(&'static str),
    /// Written by another version of the hook.
    #[error("its part `{KEY}` has version {0}, this hook reads version {VERSION}")]
    Version(String),
    /// Not what this hook writes.
    #[error("its part `{KEY}` cannot be read: {0}")]
    Unreadable(String),
}

impl Kept {
    /// Nothing is known yet.
    pub fn nothing(about: &str, now: Timestamp) -> Self {
        Self {
            version: VERSION,
            about: about.to_owned(),
            since: now,
            passed: BTreeMap::new(),
            remembered: BTreeMap::new(),
        }
    }

    /// No earlier invocation has left anything.
    pub fn anew() -> Self {
        Self::nothing("", Timestamp::now())
    }

    /// What is in these details about this; nothing, where they are about something else or have no part of ours.
    pub fn read(details: &Value, about: &str, now: Timestamp) -> Result<Self, KeptError> {
        let ours = match details {
            Value::Null => None,
            Value::Object(keys) => keys.get(KEY),
            other => return Err(KeptError::NotAnObject(crate::event::kind(other))),
        };
        let Some(ours) = ours else { return Ok(Self::nothing(about, now)) };
        let version = ours.get("version").unwrap_or(&Value::Null);
        if version != &json!(VERSION) {
            return Err(KeptError::Version(one_line(&version.to_string(), 20)));
        }
        let kept: Self = serde_json::from_value(ours.clone())
            .map_err(|error| KeptError::Unreadable(one_line(&error.to_string(), 120)))?;
        let fits = kept.about == about && kept.since <= now;
        Ok(if fits { kept } else { Self::nothing(about, now) })
    }

    /// When it was asked first.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// The evidence of a check that has said yes.
    pub fn passed(&self, id: &str) -> Option<&str> {
        self.passed.get(id).map(String::as_str)
    }

    /// What a check left.
    pub fn remembered(&self, id: &str) -> Option<&Value> {
        self.remembered.get(id)
    }

    /// Keeps a yes.
    pub fn keep_passed(&mut self, id: &str, evidence: &str) {
        self.remembered.remove(id);
        self.passed.insert(id.to_owned(), one_line(evidence, EVIDENCE));
    }

    /// Keeps what a check must know.
    pub fn keep_remembered(&mut self, id: &str, remembered: Value) {
        self.remembered.insert(id.to_owned(), remembered);
    }

    /// As details that can be returned.
    pub fn details(&self) -> Value {
        let mut details = Map::new();
        details.insert(KEY.to_owned(), serde_json::to_value(self).expect("keys are texts"));
        Value::Object(details)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("a time")
    }

    #[test]
    fn what_is_kept_comes_back() {
        let mut kept = Kept::nothing("POST_SCALE_UP", at(0));
        kept.keep_remembered("a", json!({"since": 3}));
        kept.keep_remembered("b", json!(1));
        kept.keep_passed("b", "2 of 2");
        let read = Kept::read(&kept.details(), "POST_SCALE_UP", at(30)).expect("it is ours");
        assert_eq!(read, kept);
        assert_eq!((read.passed("b"), read.remembered("b"), read.since()), (Some("2 of 2"), None, at(0)));
    }

    #[test]
    fn another_step_begins_anew() {
        let kept = Kept::nothing("PRE_PRODUCTION_TRAFFIC_SHIFT at 10 %", at(0));
        let next = Kept::read(&kept.details(), "PRE_PRODUCTION_TRAFFIC_SHIFT at 20 %", at(60)).expect("it is ours");
        assert_eq!(next, Kept::nothing("PRE_PRODUCTION_TRAFFIC_SHIFT at 20 %", at(60)));
    }

    #[test]
    fn details_without_a_part_of_ours_are_no_obstacle() {
        for details in [Value::Null, json!({}), json!({"team": "orders"})] {
            assert_eq!(Kept::read(&details, "x", at(0)), Ok(Kept::nothing("x", at(0))));
        }
    }

    #[test]
    fn details_of_another_version_or_of_somebody_else_are_refused_with_the_reason() {
        let told = |details: Value| Kept::read(&details, "x", at(0)).expect_err("not ours").to_string();
        assert_eq!(told(json!([1])), "hookDetails is a list, not an object");
        assert_eq!(
            told(json!({"greenlight": {"version": 0}})),
            "its part `greenlight` has version 0, this hook reads version 1"
        );
        assert_eq!(
            told(json!({"greenlight": true})),
            "its part `greenlight` has version null, this hook reads version 1"
        );
        assert_eq!(
            told(json!({"greenlight": {"version": 1, "about": 7}})),
            "its part `greenlight` cannot be read: invalid type: integer `7`, expected a string"
        );
    }
}

//! A moment that another invocation can take up: processes share no clock but that of the world.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::Instant;

/// The key in what a check remembers.
const SINCE: &str = "since";

/// As a check remembers it.
pub fn remember(since: Instant) -> Value {
    let elapsed = SignedDuration::try_from(since.elapsed()).unwrap_or_default();
    json!({ SINCE: (Timestamp::now() - elapsed).to_string() })
}

/// As it was remembered; `None` for anything else, and for what has not been yet.
pub fn recall(remembered: &Value) -> Option<Instant> {
    let since: Timestamp = remembered.get(SINCE)?.as_str()?.parse().ok()?;
    let elapsed = std::time::Duration::try_from(Timestamp::now().duration_since(since)).ok()?;
    Instant::now().checked_sub(elapsed)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_moment_comes_back_within_a_second() {
        let since = Instant::now().checked_sub(Duration::from_secs(90)).expect("the machine is up for longer");
        let back = recall(&remember(since)).expect("a moment");
        let apart = back.max(since) - back.min(since);
        assert!(apart < Duration::from_secs(1), "{apart:?}");
    }

    #[test]
    fn rubbish_and_the_future_are_no_moment() {
        for rubbish in
            [json!(null), json!({"since": 3}), json!({"since": "soon"}), json!({"since": "2999-01-01T00:00:00Z"})]
        {
            assert_eq!(recall(&rubbish), None, "{rubbish}");
        }
    }
}

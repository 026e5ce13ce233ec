//! How evidence names things: short, and the same in every row.

use jiff::Timestamp;

use crate::check::{Answer, CannotTell};
use crate::deployment::{AnyDeployment as _, Deployment, Listener};
use crate::document::{names_a_secret, without_secrets};
use crate::report::words::one_line;

/// Characters of a response that evidence quotes.
const QUOTED: usize = 120;

/// `orders:42` of a task definition's ARN.
pub(super) fn version(task_definition: &str) -> &str {
    task_definition.rsplit('/').next().unwrap_or(task_definition)
}

/// `tg-green` of a target group's ARN.
pub(super) fn group(arn: &str) -> &str {
    arn.split(":targetgroup/").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or(arn)
}

/// `HTTP :9001`.
pub(super) fn port(listener: &Listener) -> String {
    format!("{} :{}", listener.protocol, listener.port)
}

/// `1 task`, `2 tasks`.
pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// `2026-11-21T12:31:04Z`, or that nobody says.
pub(super) fn since(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "an unknown time".to_owned(), |time| format!("{time:.0}"))
}

/// `a, b and c`.
pub(super) fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// No to what only a test listener makes possible.
pub(super) fn without_test_listener(deployment: &Deployment, what: &str, or: &str) -> Answer {
    let terms = deployment.terms();
    Answer::no(
        format!("{} has no {}: {what} before users reach it", deployment.settings_of(), terms.test_listener),
        format!("{}, or {or}.", terms.get_test_listener),
    )
}

/// A row for what nobody can know, and asking again will not change.
pub(super) fn cannot_tell(asked: impl Into<String>, remedy: impl Into<String>) -> CannotTell {
    CannotTell { asked: asked.into(), remedy: remedy.into(), transient: false, source: None }
}

/// The beginning of a text in one line, at most 120 characters, without what looks like a secret.
pub(super) fn shortened(text: &str) -> String {
    one_line(&without_secrets(text), QUOTED)
}

/// A response's body as evidence may quote it: short, and without the values of keys that name a secret.
pub(super) fn quoted(body: &[u8]) -> String {
    let text = match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(mut json) => {
            hide_secrets(&mut json);
            return format!("\"{}\"", one_line(&json.to_string(), QUOTED));
        }
        Err(_) => String::from_utf8_lossy(body).lines().map(without_secrets).collect::<Vec<_>>().join(" "),
    };
    if text.trim().is_empty() { "an empty body".to_owned() } else { format!("\"{}\"", one_line(&text, QUOTED)) }
}

fn hide_secrets(json: &mut serde_json::Value) {
    match json {
        serde_json::Value::Object(members) => {
            for (key, member) in members {
                if names_a_secret(key) && !member.is_null() {
                    *member = "…".into();
                } else {
                    hide_secrets(member);
                }
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(hide_secrets),
        serde_json::Value::String(text) => *text = without_secrets(text),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{group, quoted, version};

    #[test]
    fn arns_are_named_short() {
        assert_eq!(version("arn:aws:ecs:eu-central-1:1:task-definition/orders:42"), "orders:42");
        assert_eq!(group("arn:aws:elasticloadbalancing:eu-central-1:1:targetgroup/tg-green/2"), "tg-green");
    }

    #[test]
    fn a_body_is_quoted_short_and_without_secrets() {
        assert_eq!(quoted(b"db:\n  connection\trefused"), "\"db: connection refused\"");
        assert_eq!(quoted(br#"{"user": "a", "password": "hunter2"}"#), r#""{"password":"…","user":"a"}""#);
        assert_eq!(quoted(b"DB_PASSWORD=hunter2\nDB_HOST=db"), "\"DB_PASSWORD= … DB_HOST=db\"");
        assert_eq!(quoted(br#"{"error": "postgres://a:hunter2@db/x"}"#), r#""{"error":"postgres://…@db/x"}""#);
        assert_eq!(quoted(b""), "an empty body");
        assert_eq!(quoted("ä".repeat(300).as_bytes()).chars().count(), 120 + 3);
        assert_eq!(quoted(b"\x1b[31m\0\xff"), "\" [31m \u{fffd}\"");
    }
}

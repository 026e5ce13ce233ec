//! What a hook's own lines tell of the invocation that died: whom it was asked about, and what it had decided.
//!
//! One execution environment writes one log stream, an invocation after the other, so what stands between Lambda's two lines
//! about an invocation is that invocation's.

use greenlight::deployment::{DeploymentId, HookExecutionId};
use greenlight::event::Event;
use greenlight::report::Verdict;
use serde_json::Value;

/// What the lines tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LastWords {
    /// It was asked about this. With the answer that it had decided on and could not deliver.
    Asked(Event, Option<Verdict>),
    /// Its event named nobody to answer.
    Nobody,
    /// It did not come to its first line, or that line is not there yet.
    Unknown,
}

/// Reads the lines of a stream, oldest first, for this invocation.
pub(crate) fn of(lines: &[String], request: &str) -> LastWords {
    let is = |line: &Value, kind: &str| line["type"] == kind && line["record"]["requestId"] == request;
    let parsed: Vec<Option<Value>> = lines.iter().map(|line| serde_json::from_str(line).ok()).collect();
    let at = |kind: &str| parsed.iter().rposition(|line| line.as_ref().is_some_and(|line| is(line, kind)));
    let end = at("platform.report").unwrap_or(lines.len());
    // Where the function logs less than Lambda's own lines, what stands last before the end counts; not what stands before the
    // end of another invocation.
    let ended = |line: &Value| line["type"] == "platform.report" && line["record"]["requestId"] != request;
    let another = parsed[..end].iter().rposition(|line| line.as_ref().is_some_and(ended)).map(|end| end + 1);
    let from = at("platform.start").filter(|start| *start < end).max(another);
    let before = lines[..end].iter().zip(&parsed).rev();
    let of_it = before.take(end - from.unwrap_or(0));
    let mut decided = None;
    for (line, parsed) in of_it {
        let (message, level) = words(line, parsed.as_ref());
        if message.starts_with("nobody can be answered:") && level == "ERROR" {
            return LastWords::Nobody;
        }
        if message.starts_with("ANSWER NOT DELIVERED: ") && level == "ERROR" && decided.is_none() {
            decided = Some(verdict(message));
        }
        if let Some(event) = asked(message).filter(|_| level == "INFO") {
            return LastWords::Asked(event, decided.flatten());
        }
    }
    LastWords::Unknown
}

/// What an answer was that could not be delivered, by the words of [`greenlight::answer::DeliveryError`].
pub(crate) fn verdict(undelivered: &str) -> Option<Verdict> {
    let (_, words) = undelivered.split_once("the answer ")?;
    let (status, _) = words.split_once(" could not be delivered ")?;
    match status {
        "Succeeded" => Some(Verdict::Proceed),
        "Failed" => Some(Verdict::Stop),
        _ => None,
    }
}

/// A line of a hook, as JSON or as text: its message and its level.
fn words<'a>(line: &'a str, parsed: Option<&'a Value>) -> (&'a str, &'a str) {
    match parsed {
        Some(json) => (json["message"].as_str().unwrap_or_default(), json["level"].as_str().unwrap_or_default()),
        None => line.split_once(' ').map_or((line, ""), |(level, message)| (message.trim_start(), level)),
    }
}

/// `before-install is asked about d-ABC (execution 0123)`, the first line of every hook.
fn asked(message: &str) -> Option<Event> {
    let (_, rest) = message.split_once(" is asked about ")?;
    let (deployment, rest) = rest.split_once(" (execution ")?;
    let execution = rest.strip_suffix(')')?;
    let word = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
    (word(deployment) && word(execution)).then(|| Event {
        deployment: DeploymentId(deployment.to_owned()),
        execution: HookExecutionId(execution.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines(lines: &[Value]) -> Vec<String> {
        lines.iter().map(ToString::to_string).collect()
    }

    fn platform(kind: &str, request: &str) -> Value {
        json!({"time": "then", "type": kind, "record": {"requestId": request}})
    }

    fn said(level: &str, message: &str) -> Value {
        json!({"level": level, "message": message, "timestamp": "then"})
    }

    fn event(deployment: &str, execution: &str) -> Event {
        Event { deployment: DeploymentId(deployment.to_owned()), execution: HookExecutionId(execution.to_owned()) }
    }

    /// A warm process serves one deployment after the other.
    #[test]
    fn of_several_invocations_the_one_that_died_is_read() {
        let all = lines(&[
            platform("platform.start", "r-1"),
            said("INFO", "after-install is asked about d-1 (execution e-1)"),
            platform("platform.report", "r-1"),
            platform("platform.start", "r-2"),
            said("INFO", "after-install is asked about d-2 (execution e-2)"),
            said("WARN", "slow"),
            platform("platform.report", "r-2"),
            platform("platform.start", "r-3"),
            platform("platform.report", "r-3"),
        ]);
        assert_eq!(of(&all, "r-1"), LastWords::Asked(event("d-1", "e-1"), None));
        assert_eq!(of(&all, "r-2"), LastWords::Asked(event("d-2", "e-2"), None));
        // It died before its first line: the one before it must not be answered in its place.
        assert_eq!(of(&all, "r-3"), LastWords::Unknown);
    }

    #[test]
    fn lines_of_text_are_read_as_well() {
        let all = [
            platform("platform.start", "r-1").to_string(),
            "INFO  before-install is asked about d-1 (execution e-1)".to_owned(),
            "panic".to_owned(),
        ];
        assert_eq!(of(&all, "r-1"), LastWords::Asked(event("d-1", "e-1"), None));
    }

    /// The hook had its reasons: they count more than that it could not deliver them.
    #[test]
    fn the_answer_that_was_not_delivered_is_known() {
        for (status, verdict) in [("Succeeded", Verdict::Proceed), ("Failed", Verdict::Stop)] {
            let undelivered =
                format!("ANSWER NOT DELIVERED: the answer {status} could not be delivered (attempts: 3): x");
            let all = lines(&[
                platform("platform.start", "r-1"),
                said("INFO", "after-install is asked about d-1 (execution e-1)"),
                said("ERROR", &undelivered),
                platform("platform.report", "r-1"),
            ]);
            assert_eq!(of(&all, "r-1"), LastWords::Asked(event("d-1", "e-1"), Some(verdict)));
        }
    }

    #[test]
    fn an_event_that_named_nobody_is_settled() {
        let all = lines(&[
            platform("platform.start", "r-1"),
            said("ERROR", "nobody can be answered: the event has no DeploymentId"),
            platform("platform.report", "r-1"),
        ]);
        assert_eq!(of(&all, "r-1"), LastWords::Nobody);
    }

    /// Green's own words are quoted in lines of other levels, and never at their beginning.
    #[test]
    fn what_green_answers_is_never_taken_for_the_hooks_own_words() {
        let all = lines(&[
            platform("platform.start", "r-1"),
            said("INFO", "after-install is asked about d-1 (execution e-1)"),
            said("ERROR", "STOP  \"x is asked about d-2 (execution e-2)\""),
            said("WARN", "x is asked about d-3 (execution e-3)"),
            said("WARN", "ANSWER NOT DELIVERED: the answer Succeeded could not be delivered (attempts: 1)"),
            platform("platform.report", "r-1"),
        ]);
        assert_eq!(of(&all, "r-1"), LastWords::Asked(event("d-1", "e-1"), None));
    }
}

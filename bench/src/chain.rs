//! The longest chain of calls of which each needs what an earlier one answered: the least number of calls that a hook
//! can be made to wait for.
//!
//! What a call needs is read off the wire: a word of its request that the event did not have and an earlier answer did.
//! Four things the wire does not show are written down here: a poll comes after the one before it, the plan is known
//! only when both places where it may be have answered, an image is named by the task definition, and the hook's own answer
//! comes after everything.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::aws::{ANSWER, Call};

/// Shorter words (`80`, `ECS`, `4`) turn up everywhere and prove nothing.
const SHORTEST_WORD: usize = 4;

/// The same question, asked this long after its last answer, is a poll. Sooner, it is a question too many.
const POLL: Duration = Duration::from_millis(500);

/// After this long a hook looks once more where the traffic is, for its report.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What a plan may be found by: the label counts before the parameter.
const PLACES_OF_THE_PLAN: &[&str] = &["DescribeTaskDefinition", "GetParameter"];

/// Calls, and those after which they are known to be needed: a repository's name is often the service's, and a tag short.
const NEEDED_AFTER: [(&str, &[&str]); 2] =
    [("GetSecretValue", PLACES_OF_THE_PLAN), ("DescribeImages", &["DescribeTaskDefinition"])];

/// How long the hook waited on purpose: the time before a poll in which no call was open. Time without a call in which
/// the hook does something else, as migrating a database, ends with another call, and is the hook's own.
pub(crate) fn waits(calls: &[Call]) -> Duration {
    let calls = sorted(calls);
    let mut waited = Duration::ZERO;
    let mut quiet_since: Option<Instant> = None;
    for (i, call) in calls.iter().enumerate() {
        if let Some(since) = quiet_since
            && pause(&calls, i) >= Some(POLL)
        {
            waited += call.arrived.saturating_duration_since(since);
        }
        quiet_since = quiet_since.max(Some(call.answered));
    }
    waited
}

/// The operations of the longest chain, first to last.
pub(crate) fn longest(event: &Value, calls: &[Call]) -> Vec<String> {
    let known = words(event.to_string().as_bytes());
    let calls = sorted(calls);
    let answers: Vec<HashSet<String>> = calls.iter().map(|call| words(&call.response)).collect();
    // None for a poll between the first and the last: however many there are, they fit into the time that is watched.
    let mut chains: Vec<Option<Vec<String>>> = Vec::with_capacity(calls.len());
    for (i, call) in calls.iter().enumerate() {
        let length = |j: &usize| chains[*j].as_ref().map_or(0, Vec::len);
        let before = || (0..i).filter(|&j| calls[j].answered <= call.arrived && chains[j].is_some());
        let last = |operation: &str| before().filter(|&j| calls[j].operation == operation).max_by_key(length);
        let pause = pause(&calls, i);
        let is_poll = pause >= Some(POLL);
        let needed = if call.operation == ANSWER || (pause >= Some(LOOK_AGAIN)) {
            before().max_by_key(length)
        } else {
            let poll = before().filter(|&j| is_poll && is_same(calls[j], call)).max_by_key(length);
            let hidden = NEEDED_AFTER.iter().filter(|(operation, _)| *operation == call.operation);
            let hidden = hidden.flat_map(|(_, after)| after.iter()).filter_map(|operation| last(operation));
            values(call)
                .iter()
                .filter(|word| !known.contains(*word))
                .filter_map(|word| before().filter(|&j| answers[j].contains(word)).min_by_key(length))
                .chain(poll)
                .chain(hidden)
                .max_by_key(length)
        };
        let is_between = is_poll && (i + 1..calls.len()).any(|j| is_same(calls[j], call));
        let mut chain = needed.and_then(|j| chains[j].clone()).unwrap_or_default();
        chain.push(call.operation.clone());
        chains.push((!is_between).then_some(chain));
    }
    chains.into_iter().flatten().max_by_key(Vec::len).unwrap_or_default()
}

/// Questions that were asked again before a poll could be meant: nobody needed a new answer.
pub(crate) fn asked_twice(calls: &[Call]) -> Vec<String> {
    let calls = sorted(calls);
    let too_early = (0..calls.len()).filter(|&i| {
        let earlier = calls[..i].iter().any(|other| is_same(other, calls[i]));
        earlier && pause(&calls, i).is_none_or(|pause| pause < POLL)
    });
    too_early.map(|i| calls[i].operation.clone()).collect()
}

fn sorted(calls: &[Call]) -> Vec<&Call> {
    let mut calls: Vec<&Call> = calls.iter().collect();
    calls.sort_by_key(|call| call.arrived);
    calls
}

/// Since when the same question had been answered when it was asked again.
fn pause(calls: &[&Call], again: usize) -> Option<Duration> {
    let last = calls[..again].iter().rfind(|call| is_same(call, calls[again]))?;
    calls[again].arrived.checked_duration_since(last.answered)
}

fn is_same(one: &Call, other: &Call) -> bool {
    one.operation == other.operation && one.request == other.request
}

/// The words among the values of a request; its keys are the protocol's.
fn values(call: &Call) -> HashSet<String> {
    if let Ok(request) = serde_json::from_slice::<Value>(&call.request) {
        let mut found = HashSet::new();
        collect_json(&request, &mut found);
        return found;
    }
    if call.media_type.contains("cbor") {
        let mut found = HashSet::new();
        if let Ok(request) = ciborium::from_reader::<ciborium::Value, _>(call.request.as_ref()) {
            collect_cbor(&request, &mut found);
        }
        return found;
    }
    let mut found = words(call.operation.as_bytes());
    for (name, value) in form_urlencoded::parse(&call.request) {
        if name != "Action" && name != "Version" {
            found.extend(words(value.as_bytes()));
        }
    }
    found
}

fn collect_json(value: &Value, found: &mut HashSet<String>) {
    match value {
        Value::String(text) => found.extend(words(text.as_bytes())),
        Value::Array(items) => items.iter().for_each(|item| collect_json(item, found)),
        Value::Object(fields) => fields.values().for_each(|item| collect_json(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn collect_cbor(value: &ciborium::Value, found: &mut HashSet<String>) {
    match value {
        ciborium::Value::Text(text) => found.extend(words(text.as_bytes())),
        ciborium::Value::Array(items) => items.iter().for_each(|item| collect_cbor(item, found)),
        ciborium::Value::Map(fields) => fields.iter().for_each(|(_, item)| collect_cbor(item, found)),
        _ => {}
    }
}

/// Names and ids are the words between `/`, `:`, quotes and the like, in every protocol.
fn words(bytes: &[u8]) -> HashSet<String> {
    bytes
        .split(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')))
        .filter(|word| word.len() >= SHORTEST_WORD)
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;

    /// A call that arrived and was answered at these milliseconds.
    fn call(began: Instant, operation: &str, at: (u64, u64), request: &Value, response: &Value) -> Call {
        Call {
            operation: operation.to_owned(),
            media_type: "application/x-amz-json-1.1".to_owned(),
            request: Bytes::from(request.to_string()),
            response: Bytes::from(response.to_string()),
            arrived: began + Duration::from_millis(at.0),
            answered: began + Duration::from_millis(at.1),
        }
    }

    fn event() -> Value {
        json!({ "DeploymentId": "d-ABCDEF123", "LifecycleEventHookExecutionId": "hook-execution-1" })
    }

    #[test]
    fn a_call_that_uses_an_answer_comes_after_it_and_the_hooks_own_answer_comes_last() {
        let t = Instant::now();
        let calls = [
            call(t, "GetDeployment", (0, 50), &json!({ "deploymentId": "d-ABCDEF123" }), &json!({ "app": "orders" })),
            call(t, "GetDeploymentGroup", (50, 100), &json!({ "applicationName": "orders" }), &json!({})),
            call(t, ANSWER, (100, 150), &json!({ "deploymentId": "d-ABCDEF123", "status": "Succeeded" }), &json!({})),
        ];
        assert_eq!(longest(&event(), &calls), ["GetDeployment", "GetDeploymentGroup", ANSWER]);
    }

    #[test]
    fn a_call_that_only_waited_in_line_is_not_part_of_the_chain() {
        let t = Instant::now();
        let id = json!({ "deploymentId": "d-ABCDEF123" });
        let calls = [
            call(t, "GetDeployment", (0, 50), &id, &json!({ "app": "orders" })),
            call(t, "ListDeploymentTargets", (50, 100), &id, &json!({ "targetIds": ["cluster:orders"] })),
            call(t, ANSWER, (100, 150), &id, &json!({})),
        ];
        assert_eq!(longest(&event(), &calls).len(), 2);
    }

    #[test]
    fn a_field_name_that_the_request_and_an_answer_share_proves_nothing() {
        let t = Instant::now();
        let calls = [
            call(t, "GetDeployment", (0, 50), &json!({}), &json!({ "maxResults": 1 })),
            call(t, "DescribeAlarms", (50, 100), &json!({ "maxResults": 1 }), &json!({})),
        ];
        assert_eq!(longest(&event(), &calls), ["DescribeAlarms"]);
    }

    #[test]
    fn a_poll_comes_after_the_one_before_and_of_many_only_the_first_and_the_last_count() {
        let t = Instant::now();
        let ask = json!({ "TargetGroupArn": "green" });
        let calls = [0, 1000, 2000].map(|at| call(t, "DescribeTargetHealth", (at, at + 50), &ask, &json!({})));
        assert_eq!(longest(&event(), &calls).len(), 2);
        assert_eq!(waits(&calls), Duration::from_millis(1900));
        assert!(asked_twice(&calls).is_empty());
    }

    #[test]
    fn a_pause_while_another_call_is_open_is_no_wait() {
        let t = Instant::now();
        let health = json!({ "TargetGroupArn": "green" });
        let calls = [
            call(t, "DescribeTargetHealth", (0, 50), &health, &json!({})),
            call(t, "ListTasks", (0, 550), &json!({}), &json!({})),
            call(t, "DescribeTargetHealth", (1050, 1100), &health, &json!({})),
        ];
        assert_eq!(waits(&calls), Duration::from_millis(500));
    }

    #[test]
    fn time_without_a_call_in_which_a_database_is_migrated_is_the_hooks_own() {
        let t = Instant::now();
        let calls = [
            call(t, "GetSecretValue", (0, 50), &json!({}), &json!({})),
            call(t, ANSWER, (3000, 3050), &json!({}), &json!({})),
        ];
        assert_eq!(waits(&calls), Duration::ZERO);
    }

    #[test]
    fn asking_the_same_again_at_once_is_a_question_too_many() {
        let t = Instant::now();
        let ask = json!({ "taskDefinition": "orders:2" });
        let calls = [0, 50].map(|at| call(t, "DescribeTaskDefinition", (at, at + 50), &ask, &json!({})));
        assert_eq!(longest(&event(), &calls).len(), 1);
        assert_eq!(asked_twice(&calls), ["DescribeTaskDefinition"]);
        let at_once = [0, 0].map(|at| call(t, "DescribeTaskDefinition", (at, at + 50), &ask, &json!({})));
        assert_eq!(asked_twice(&at_once), ["DescribeTaskDefinition"]);
    }

    #[test]
    fn what_the_plan_asks_for_comes_after_both_places_where_a_plan_may_be() {
        let t = Instant::now();
        let plan = json!({ "Value": "database: { secret: orders/migrator }" });
        let calls = [
            call(t, "GetApplicationRevision", (0, 50), &json!({}), &json!({ "content": "orders:4711" })),
            call(t, "GetParameter", (50, 100), &json!({}), &plan),
            call(t, "DescribeTaskDefinition", (50, 100), &json!({ "taskDefinition": "orders:4711" }), &json!({})),
            call(t, "GetSecretValue", (100, 150), &json!({ "SecretId": "orders/migrator" }), &json!({})),
        ];
        assert_eq!(longest(&event(), &calls), ["GetApplicationRevision", "DescribeTaskDefinition", "GetSecretValue"]);
    }

    #[test]
    fn a_last_look_at_the_traffic_comes_after_everything() {
        let t = Instant::now();
        let (listener, alarms) = (json!({ "ListenerArn": "l1" }), json!({ "AlarmNames": "a1" }));
        let calls = [
            call(t, "DescribeListeners", (0, 50), &listener, &json!({})),
            call(t, "DescribeAlarms", (50, 100), &alarms, &json!({})),
            call(t, "DescribeAlarms", (6000, 6050), &alarms, &json!({})),
            call(t, "DescribeListeners", (6050, 6100), &listener, &json!({})),
        ];
        assert_eq!(longest(&event(), &calls).last().map(String::as_str), Some("DescribeListeners"));
        assert_eq!(longest(&event(), &calls).len(), 3);
    }
}

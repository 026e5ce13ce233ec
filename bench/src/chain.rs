//! The longest chain of calls of which each needs what an earlier one answered: the least time that a hook can take.
//!
//! What a call needs is read off the wire: a word of its request that the event did not have and an earlier answer did.

use std::collections::HashSet;

use serde_json::Value;

use crate::aws::{ANSWER, Call};

/// Shorter words (`80`, `ECS`, `4`) turn up everywhere and prove nothing.
const SHORTEST_WORD: usize = 4;

/// The operations of the longest chain, first to last. The hook's own answer needs everything before it.
pub(crate) fn longest(event: &Value, calls: &[Call]) -> Vec<String> {
    let known = words(event.to_string().as_bytes());
    let mut calls: Vec<&Call> = calls.iter().collect();
    calls.sort_by_key(|call| call.arrived);
    let answers: Vec<HashSet<String>> = calls.iter().map(|call| words(&call.response)).collect();
    let mut chains: Vec<Vec<String>> = Vec::with_capacity(calls.len());
    for (i, call) in calls.iter().enumerate() {
        let before = || (0..i).filter(|&j| calls[j].answered <= call.arrived);
        let needed = if call.operation == ANSWER {
            before().max_by_key(|&j| chains[j].len())
        } else {
            // The same question again is a poll: it cannot be asked before its predecessor was answered.
            let poll = before().filter(|&j| is_same(calls[j], call)).max_by_key(|&j| chains[j].len());
            values(call)
                .iter()
                .filter(|word| !known.contains(*word))
                .filter_map(|word| before().filter(|&j| answers[j].contains(word)).min_by_key(|&j| chains[j].len()))
                .chain(poll)
                .max_by_key(|&j| chains[j].len())
        };
        let mut chain = needed.map(|j| chains[j].clone()).unwrap_or_default();
        chain.push(call.operation.clone());
        chains.push(chain);
    }
    chains.into_iter().max_by_key(Vec::len).unwrap_or_default()
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
    use std::time::{Duration, Instant};

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
    fn asking_the_same_again_is_a_poll_and_each_waits_for_the_one_before() {
        let t = Instant::now();
        let ask = json!({ "TargetGroupArn": "green" });
        let calls = [0, 50, 100].map(|at| call(t, "DescribeTargetHealth", (at, at + 50), &ask, &json!({})));
        assert_eq!(longest(&event(), &calls).len(), 3);
    }
}

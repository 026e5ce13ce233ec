//! What AWS makes of the end of an invocation: Lambda's own lines in the function's log, what a subscription brings of them to
//! somebody, and the on-failure destination of an `Event` invocation.

use std::io::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::environment::Assignment;
use crate::world::functions::{Function, Invocation, InvocationStatus, LATEST, Message, Notice, OnFailure};
use crate::world::{ACCOUNT, REGION, World};

/// How long it takes until a message of a queue is taken from it.
const POLLED_AFTER: Duration = Duration::from_secs(1);

/// Lambda's line about the beginning of an invocation.
pub(super) fn begins(world: &World, function: &Function, assignment: &Assignment, stream: &str) {
    write(world, function, stream, "platform.start", json!({"requestId": assignment.id, "version": function.version}));
}

/// Writes Lambda's line about the end of an invocation; what AWS tells others of it.
pub(super) fn ends(world: &World, function: &Function, invocation: &Invocation, stream: &str) -> Vec<Notice> {
    let (status, error_type) = in_lambdas_words(&invocation.status);
    let mut record = json!({
        "requestId": invocation.id,
        "status": status,
        "metrics": {
            "durationMs": milliseconds(invocation.took),
            "billedDurationMs": milliseconds(invocation.took).ceil(),
            "memorySizeMB": function.memory_mib,
            "maxMemoryUsedMB": invocation.peak_memory.unwrap_or_default().div_ceil(1024 * 1024),
        },
    });
    if let Some(error_type) = error_type {
        record["errorType"] = error_type.into();
    }
    let line = write(world, function, stream, "platform.report", record);
    let now = world.now();
    let mut notices = Vec::new();
    if let Some(subscription) = &function.subscription
        && subscription.filter.matches(&line)
    {
        let payload = subscribed(function, stream, now, &line);
        notices.push(Notice::new(now, subscription.after, &subscription.function, payload, None));
    }
    if let Some(on_failure) = &function.on_failure
        && invocation.by_event
        && invocation.status.is_function_error()
        && invocation.retries_left == 0
    {
        notices.push(destined(function, invocation, on_failure, now));
    }
    notices.extend(left_in_the_queue(function, invocation, now));
    notices
}

/// A line of Lambda's own, in JSON as with `LogFormat: JSON`.
fn write(world: &World, function: &Function, stream: &str, kind: &str, record: Value) -> String {
    let now = world.now();
    let line = json!({"time": world.clock.to_client(now).to_string(), "type": kind, "record": record}).to_string();
    world.logs.write(&function.log_group(), stream, now, std::slice::from_ref(&line));
    line
}

fn in_lambdas_words(status: &InvocationStatus) -> (&'static str, Option<String>) {
    match status {
        InvocationStatus::Returned(_) => ("success", None),
        InvocationStatus::TimedOut => ("timeout", None),
        InvocationStatus::OutOfMemory => ("error", Some("Runtime.OutOfMemory".to_owned())),
        InvocationStatus::Crashed(_) => ("failure", Some("Runtime.ExitError".to_owned())),
        InvocationStatus::Errored(error) => {
            let error: Value = serde_json::from_str(error).unwrap_or_default();
            ("error", error["errorType"].as_str().map(str::to_owned))
        }
        InvocationStatus::NotInvokable(_) | InvocationStatus::Queued | InvocationStatus::Running => ("error", None),
    }
}

fn milliseconds(took: Option<Duration>) -> f64 {
    took.unwrap_or_default().as_secs_f64() * 1000.0
}

/// One line, packed as CloudWatch Logs packs what it sends to a function.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html#LambdaFunctionExample>
fn subscribed(function: &Function, stream: &str, now: Timestamp, line: &str) -> String {
    let told = json!({
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": function.log_group(),
        "logStream": stream,
        "subscriptionFilters": ["died"],
        "logEvents": [{"id": "0", "timestamp": now.as_millisecond(), "message": line}],
    });
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(told.to_string().as_bytes()).expect("memory takes bytes");
    let packed = packer.finish().expect("memory takes bytes");
    json!({"awslogs": {"data": STANDARD.encode(packed)}}).to_string()
}

/// The record that Lambda sends to the queue, and how it comes out of it.
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>
fn destined(function: &Function, invocation: &Invocation, on_failure: &OnFailure, now: Timestamp) -> Notice {
    let id = &invocation.id;
    let response: Value = match &invocation.status {
        InvocationStatus::Errored(error) => serde_json::from_str(error).unwrap_or_default(),
        InvocationStatus::TimedOut => {
            let seconds = function.timeout.as_secs_f64();
            json!({"errorMessage": format!("{now} {id} Task timed out after {seconds:.2} seconds")})
        }
        other => {
            let (_, kind) = in_lambdas_words(other);
            let kind = kind.unwrap_or_default();
            json!({"errorType": kind, "errorMessage": format!("RequestId: {id} Error: {kind}")})
        }
    };
    let body = json!({
        "version": "1.0",
        "timestamp": now.to_string(),
        "requestContext": {
            "requestId": id,
            "functionArn": format!("{}:{LATEST}", function.arn()),
            "condition": "RetriesExhausted",
            "approximateInvokeCount": invocation.attempt,
        },
        "requestPayload": serde_json::from_str::<Value>(&invocation.payload).unwrap_or_default(),
        "responseContext": {"statusCode": 200, "executedVersion": LATEST, "functionError": "Unhandled"},
        "responsePayload": response,
    });
    let message = Message {
        id: uuid::Uuid::new_v4().to_string(),
        body: body.to_string(),
        deliveries_left: on_failure.deliveries.saturating_sub(1),
        hidden_for: on_failure.hidden_for,
    };
    Notice::new(now, POLLED_AFTER, &on_failure.function, polled(&message), Some(message))
}

/// A message as Lambda hands it to a function that is mapped to a queue.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>
fn polled(message: &Message) -> String {
    json!({"Records": [{
        "messageId": message.id,
        "receiptHandle": message.id,
        "body": message.body,
        "attributes": {},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:hook-died"),
        "awsRegion": REGION,
    }]})
    .to_string()
}

/// A message that the function did not settle comes again once it is visible again, as often as the queue allows.
fn left_in_the_queue(function: &Function, invocation: &Invocation, now: Timestamp) -> Option<Notice> {
    let message = invocation.message.as_ref().filter(|message| message.deliveries_left > 0)?;
    let kept = match &invocation.status {
        InvocationStatus::Returned(answer) => {
            let answer: Value = serde_json::from_str(answer).unwrap_or_default();
            let failed = answer["batchItemFailures"].as_array();
            failed.is_some_and(|items| items.iter().any(|item| item["itemIdentifier"] == message.id.as_str()))
        }
        _ => true,
    };
    let again = Message { deliveries_left: message.deliveries_left - 1, ..message.clone() };
    kept.then(|| Notice::new(now, message.hidden_for, &function.name, polled(&again), Some(again)))
}

//! What AWS tells of a hook's invocation that ended without the hook's own answer.
//!
//! AWS does not say how CodeDeploy invokes hooks. Where it does so asynchronously, Lambda sends the event to the function's
//! on-failure destination, <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>. In any case Lambda
//! logs how the invocation ended, <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html#platform-report>,
//! and a subscription of the log group brings that line.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use greenlight::ports::LogStream;
use greenlight::report::words::one_line;
use serde::Deserialize;
use serde_json::Value;

/// Most bytes of unpacked log lines: CloudWatch packs at most 1 MB into one event.
const UNPACKED_AT_MOST: u64 = 8 * 1024 * 1024;
/// Longest piece of an error that is quoted.
const QUOTED: usize = 200;

/// An invocation that ended without an answer of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Death {
    /// Name of the function.
    pub function: String,
    /// Lambda's id of the invocation.
    pub request: String,
    /// `was killed at its timeout`.
    pub how: String,
    /// Where it stands what the function was asked.
    pub asked: Asked,
}

/// Where it stands what a function was asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// In the event that it got.
    Event {
        /// The event.
        event: Value,
        /// What the function said before it ended; empty where it said nothing.
        said: String,
    },
    /// In the lines that it wrote.
    Log(LogStream),
}

/// One thing that AWS told.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Id of the queue's message that brought it; `None` where it came from a log.
    pub message: Option<String>,
    /// The death, or why it cannot be read.
    pub death: Result<Death, String>,
}

/// The event is nothing that this function is for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the event is neither messages of a queue nor lines of a log, but {0}; only the template's queue and subscriptions may invoke this function"
)]
pub struct Strange(String);

/// Everything that an event tells.
pub fn read(event: &Value) -> Result<Vec<Notice>, Strange> {
    if let Some(data) = event.pointer("/awslogs/data").and_then(Value::as_str) {
        return Ok(lines(data).unwrap_or_else(|why| vec![Notice { message: None, death: Err(why) }]));
    }
    match event.get("Records").and_then(Value::as_array) {
        Some(records) if records.iter().all(|record| record["eventSource"] == "aws:sqs") => {
            Ok(records.iter().map(message).collect())
        }
        _ => Err(Strange(match event {
            Value::Object(keys) => {
                let keys: Vec<&str> = keys.keys().take(8).map(String::as_str).collect();
                one_line(&format!("an object with the keys {}", keys.join(", ")), QUOTED)
            }
            _ => "no object".to_owned(),
        })),
    }
}

/// What Lambda puts into an on-failure destination.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    request_context: RequestContext,
    request_payload: Value,
    #[serde(default)]
    response_payload: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    request_id: String,
    function_arn: String,
    condition: String,
}

fn message(record: &Value) -> Notice {
    let id = record["messageId"].as_str().unwrap_or_default().to_owned();
    let body = record["body"].as_str().unwrap_or_default();
    let death = serde_json::from_str::<Record>(body).map(died).map_err(|error| {
        format!("the message {id} of the queue is not what Lambda writes for a failed invocation: {error}")
    });
    Notice { message: Some(id), death }
}

fn died(record: Record) -> Death {
    let RequestContext { request_id, function_arn, condition } = record.request_context;
    // `arn:aws:lambda:Region:account:function:name:qualifier`
    let function = function_arn.split(':').nth(6).unwrap_or(&function_arn).to_owned();
    let text = |name: &str| record.response_payload.get(name).and_then(Value::as_str).unwrap_or_default();
    let (kind, said) = (text("errorType"), text("errorMessage").to_owned());
    let how = match condition.as_str() {
        "EventAgeExceeded" => "was not run in time: Lambda had the event for too long".to_owned(),
        _ if said.contains("Task timed out") || kind == "Sandbox.Timedout" => ended("timeout", kind),
        _ => ended("error", kind),
    };
    Death { function, request: request_id, how, asked: Asked::Event { event: record.request_payload, said } }
}

/// What a subscription brings, unpacked.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscribed {
    message_type: String,
    log_group: String,
    log_stream: String,
    log_events: Vec<LogEvent>,
}

#[derive(Deserialize)]
struct LogEvent {
    message: String,
}

/// Lambda's own line at the end of an invocation.
#[derive(Deserialize)]
struct Platform {
    #[serde(rename = "type")]
    kind: String,
    record: ReportRecord,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReportRecord {
    request_id: String,
    status: String,
    #[serde(default)]
    error_type: String,
}

fn lines(data: &str) -> Result<Vec<Notice>, String> {
    let packed = STANDARD.decode(data).map_err(|error| format!("the log lines are not base64: {error}"))?;
    let mut text = String::new();
    let read = GzDecoder::new(packed.as_slice()).take(UNPACKED_AT_MOST).read_to_string(&mut text);
    read.map_err(|error| format!("the log lines cannot be unpacked: {error}"))?;
    let told: Subscribed = serde_json::from_str(&text)
        .map_err(|error| format!("the log lines are not what CloudWatch Logs sends to a subscriber: {error}"))?;
    // CloudWatch sends `CONTROL_MESSAGE` to see whether somebody listens.
    if told.message_type != "DATA_MESSAGE" {
        return Ok(Vec::new());
    }
    let function = told.log_group.rsplit('/').next().unwrap_or(&told.log_group);
    let report = |event: &LogEvent| serde_json::from_str::<Platform>(&event.message).ok();
    let reports = told.log_events.iter().filter_map(report).filter(|line| line.kind == "platform.report");
    let failed = reports.map(|line| line.record).filter(|record| record.status != "success");
    let death = |record: ReportRecord| Death {
        function: function.to_owned(),
        how: ended(&record.status, &record.error_type),
        request: record.request_id,
        asked: Asked::Log(LogStream { region: None, group: told.log_group.clone(), stream: told.log_stream.clone() }),
    };
    Ok(failed.map(|record| Notice { message: None, death: Ok(death(record)) }).collect())
}

/// Lambda's word for the end, in ours.
fn ended(status: &str, error_type: &str) -> String {
    let kind = one_line(error_type, QUOTED);
    match (status, kind.as_str()) {
        ("timeout", _) => "was killed at its timeout".to_owned(),
        (_, "Runtime.OutOfMemory") => "was killed: it used more than its memory".to_owned(),
        (_, "HookError") => "could not deliver its answer".to_owned(),
        (_, "ConnectionError") => "could not call AWS".to_owned(),
        (_, "") => format!("ended with the status {}", one_line(status, QUOTED)),
        (_, kind) => format!("ended with {kind}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde_json::json;

    use super::*;

    fn packed(told: &Value) -> Value {
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(told.to_string().as_bytes()).unwrap();
        json!({"awslogs": {"data": STANDARD.encode(packer.finish().unwrap())}})
    }

    fn subscribed(messages: &[Value]) -> Value {
        let events: Vec<Value> =
            messages.iter().map(|it| json!({"id": "1", "timestamp": 1, "message": it.to_string()})).collect();
        packed(&json!({
            "messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": "/aws/lambda/CodeDeployHook_greenlight-after-install",
            "logStream": "2026/11/22/[$LATEST]0123", "subscriptionFilters": ["died"], "logEvents": events,
        }))
    }

    fn queued(body: &Value) -> Value {
        json!({"Records": [{"messageId": "m-1", "eventSource": "aws:sqs", "body": body.to_string()}]})
    }

    fn how(event: &Value) -> Vec<String> {
        read(event).unwrap().into_iter().map(|notice| notice.death.unwrap().how).collect()
    }

    #[test]
    fn a_line_of_lambda_about_an_invocation_that_failed_is_a_death_and_every_other_is_none() {
        let report = |status: &str, error: &str| {
            json!({"time": "2026-11-22T00:00:00Z", "type": "platform.report",
                   "record": {"requestId": "r-1", "status": status, "errorType": error, "metrics": {"durationMs": 3.0}}})
        };
        let event = subscribed(&[
            report("success", ""),
            report("timeout", ""),
            json!({"type": "platform.start", "record": {"requestId": "r-1"}}),
            json!({"level": "INFO", "message": "platform.report"}),
            report("failure", "Runtime.ExitError"),
            report("error", "Runtime.OutOfMemory"),
            report("error", ""),
        ]);
        assert_eq!(
            how(&event),
            [
                "was killed at its timeout",
                "ended with Runtime.ExitError",
                "was killed: it used more than its memory",
                "ended with the status error"
            ]
        );
        let first = read(&event).unwrap().remove(0).death.unwrap();
        assert_eq!(
            (first.function.as_str(), first.request.as_str()),
            ("CodeDeployHook_greenlight-after-install", "r-1")
        );
        let stream = LogStream {
            region: None,
            group: "/aws/lambda/CodeDeployHook_greenlight-after-install".to_owned(),
            stream: "2026/11/22/[$LATEST]0123".to_owned(),
        };
        assert_eq!(first.asked, Asked::Log(stream));
    }

    #[test]
    fn the_event_of_a_failed_invocation_comes_out_of_the_queue_with_what_the_function_said() {
        let event = json!({"DeploymentId": "d-1"});
        let record = |condition: &str, payload: Value| {
            json!({"version": "1.0", "timestamp": "2026-11-22T00:00:00Z", "requestPayload": event, "responsePayload": payload,
                   "requestContext": {"requestId": "r-1", "condition": condition, "approximateInvokeCount": 1,
                       "functionArn": "arn:aws:lambda:eu-west-1:123456789012:function:hook:$LATEST"}})
        };
        let said = "2026-11-22T00:00:00.000Z r-1 Task timed out after 3.00 seconds";
        let timed_out = queued(&record("RetriesExhausted", json!({"errorMessage": said})));
        let Notice { message, death } = read(&timed_out).unwrap().remove(0);
        let expected = Death {
            function: "hook".to_owned(),
            request: "r-1".to_owned(),
            how: "was killed at its timeout".to_owned(),
            asked: Asked::Event { event: event.clone(), said: said.to_owned() },
        };
        assert_eq!((message.as_deref(), death), (Some("m-1"), Ok(expected)));
        let too_old = queued(&record("EventAgeExceeded", Value::Null));
        assert_eq!(how(&too_old), ["was not run in time: Lambda had the event for too long"]);
        let refused = queued(&record("RetriesExhausted", json!({"errorType": "HookError", "errorMessage": "x"})));
        assert_eq!(how(&refused), ["could not deliver its answer"]);
    }

    #[test]
    fn what_cannot_be_read_is_told_and_keeps_its_message() {
        let Notice { message, death } = read(&queued(&json!({"hello": 1}))).unwrap().remove(0);
        assert_eq!(message.as_deref(), Some("m-1"));
        assert!(death.unwrap_err().contains("missing field `requestContext`"));
        for data in ["%", "aGVsbG8="] {
            let told = read(&json!({"awslogs": {"data": data}})).unwrap().remove(0);
            assert!(told.death.unwrap_err().starts_with("the log lines"), "{data}");
        }
        assert_eq!(
            read(&packed(&json!({"messageType": "CONTROL_MESSAGE", "logGroup": "", "logStream": "", "logEvents": []}))),
            Ok(vec![])
        );
    }

    #[test]
    fn an_event_of_somebody_else_is_refused_by_its_keys() {
        let strange = read(&json!({"DeploymentId": "d-secret"})).unwrap_err().to_string();
        assert!(
            strange.contains("an object with the keys DeploymentId;") && !strange.contains("d-secret"),
            "{strange}"
        );
        assert!(read(&json!([1])).unwrap_err().to_string().contains("but no object;"));
    }

    #[test]
    fn what_would_unpack_to_gigabytes_is_cut_off() {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        let block = vec![b' '; 1024 * 1024];
        for _ in 0..64 {
            packer.write_all(&block).unwrap();
        }
        let event = json!({"awslogs": {"data": STANDARD.encode(packer.finish().unwrap())}});
        assert!(read(&event).unwrap().remove(0).death.unwrap_err().contains("not what CloudWatch Logs sends"));
    }
}

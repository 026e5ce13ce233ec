//! CloudWatch Logs: reading one stream. Its times are milliseconds since the epoch, as integers.

use serde::{Deserialize, Serialize};

use super::context::{Context, Operation, required};
use super::refusal::Refusal;
use crate::world::logs::{Event, Stream};

/// What is implemented.
pub(super) const OPERATIONS: &[(&str, Operation)] =
    &[("GetLogEvents", |context, input| context.run(input, get_log_events))];

/// Most events of one answer.
const MOST: usize = 10_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GetLogEvents {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    next_token: Option<String>,
    limit: Option<usize>,
    #[serde(default)]
    start_from_head: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogEvents {
    events: Vec<EventOut>,
    next_forward_token: String,
    next_backward_token: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventOut {
    timestamp: i64,
    message: String,
    ingestion_time: i64,
}

fn get_log_events(context: &Context<'_>, input: GetLogEvents) -> Result<LogEvents, Refusal> {
    let group = input.log_group_name.or_else(|| {
        let arn = input.log_group_identifier?;
        Some(arn.split(":log-group:").last().unwrap_or(&arn).to_owned())
    });
    let group = required(group, || invalid("logGroupName", "Member must not be null"))?;
    let stream = required(input.log_stream_name, || invalid("logStreamName", "Member must not be null"))?;
    if input.limit.is_some_and(|limit| !(1..=MOST).contains(&limit)) {
        return Err(invalid("limit", "Member must have value between 1 and 10000"));
    }
    let events = match context.world.logs.stream(&group, &stream) {
        Stream::NoGroup => return Err(not_found("log group")),
        Stream::NoStream => return Err(not_found("log stream")),
        Stream::Events(events) => events,
    };
    let told = |event: Event| {
        let at = context.world.clock.to_client(event.at).as_millisecond();
        EventOut { timestamp: at, message: event.message, ingestion_time: at }
    };
    let events: Vec<EventOut> = events
        .into_iter()
        .map(told)
        .filter(|event| input.start_time.is_none_or(|start| event.timestamp >= start))
        .filter(|event| input.end_time.is_none_or(|end| event.timestamp < end))
        .collect();
    let (from, to) = page(&input.next_token, events.len(), input.limit.unwrap_or(MOST), input.start_from_head)?;
    Ok(LogEvents {
        events: events.into_iter().skip(from).take(to - from).collect(),
        next_forward_token: format!("f/{to:056}/s"),
        next_backward_token: format!("b/{from:056}/s"),
    })
}

/// The places of the events that are wanted. A token names the place where its page begins, or ends when it leads back;
/// at either end of the stream it comes back as it was given.
fn page(token: &Option<String>, count: usize, limit: usize, from_head: bool) -> Result<(usize, usize), Refusal> {
    let forward = |from: usize| (from.min(count), (from + limit).min(count));
    let backward = |to: usize| (to.min(count).saturating_sub(limit), to.min(count));
    let Some(token) = token else { return Ok(if from_head { forward(0) } else { backward(count) }) };
    let place = |way: &str| token.strip_prefix(way)?.strip_suffix("/s")?.parse::<usize>().ok();
    match (place("f/"), place("b/")) {
        (Some(place), _) => Ok(forward(place)),
        (_, Some(place)) => Ok(backward(place)),
        _ => Err(invalid("nextToken", "The specified nextToken is invalid.")),
    }
}

fn not_found(what: &str) -> Refusal {
    Refusal::new("ResourceNotFoundException", format!("The specified {what} does not exist."))
}

fn invalid(member: &str, rule: &str) -> Refusal {
    let message = format!("1 validation error detected: Value at '{member}' failed to satisfy constraint: {rule}");
    Refusal::new("InvalidParameterException", message)
}

//! CloudWatch Logs: reading one stream, and looking for words in a group. Its times are milliseconds since the epoch, as integers.

use serde::{Deserialize, Serialize};

use super::context::{Context, Operation, required};
use super::refusal::Refusal;
use crate::world::logs::{Event, Stream};

/// What is implemented.
pub(super) const OPERATIONS: &[(&str, Operation)] = &[
    ("FilterLogEvents", |context, input| context.run(input, filter_log_events)),
    ("GetLogEvents", |context, input| context.run(input, get_log_events)),
];

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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FilterLogEvents {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    #[serde(default)]
    log_stream_names: Vec<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    #[serde(default)]
    filter_pattern: String,
    next_token: Option<String>,
    limit: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FilteredEvents {
    events: Vec<FilteredEvent>,
    searched_log_streams: [(); 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FilteredEvent {
    log_stream_name: String,
    event_id: String,
    #[serde(flatten)]
    event: EventOut,
}

fn filter_log_events(context: &Context<'_>, input: FilterLogEvents) -> Result<FilteredEvents, Refusal> {
    let group = group(input.log_group_name, input.log_group_identifier)?;
    let limit = checked(input.limit)?;
    let words = words(&input.filter_pattern)?;
    let from = match &input.next_token {
        None => 0,
        Some(token) => token.parse().map_err(|_| invalid("nextToken", "The specified nextToken is invalid."))?,
    };
    let events = context.world.logs.group(&group).ok_or_else(|| not_found("log group"))?;
    let mut found = events.into_iter().enumerate().filter_map(|(place, (stream, event))| {
        let in_stream = input.log_stream_names.is_empty() || input.log_stream_names.contains(&stream);
        let matches = in_stream && words.iter().all(|word| event.message.contains(word));
        let event = told(context, event);
        let in_time = input.start_time.is_none_or(|start| event.timestamp >= start)
            && input.end_time.is_none_or(|end| event.timestamp <= end);
        (matches && in_time).then(|| FilteredEvent { log_stream_name: stream, event_id: format!("{place:056}"), event })
    });
    let page = found.by_ref().skip(from).take(limit).collect();
    let next_token = found.next().map(|_| (from + limit).to_string());
    Ok(FilteredEvents { events: page, searched_log_streams: [], next_token })
}

/// The words of a pattern, plain or in quotes: all of them must be there. What else a pattern can say is refused, not guessed.
fn words(pattern: &str) -> Result<Vec<String>, Refusal> {
    let (mut words, mut rest) = (Vec::new(), pattern.trim_start());
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or_else(|| invalid("filterPattern", "a quote is open"))?,
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        if !rest.starts_with('"') && !word.chars().all(|letter| letter.is_alphanumeric() || letter == '_') {
            let rule = "The rehearsal looks for words, plain or in quotes; other patterns it does not know";
            return Err(invalid("filterPattern", rule));
        }
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    Ok(words)
}

fn group(name: Option<String>, identifier: Option<String>) -> Result<String, Refusal> {
    let group = name.or_else(|| {
        let arn = identifier?;
        Some(arn.split(":log-group:").last().unwrap_or(&arn).to_owned())
    });
    required(group, || invalid("logGroupName", "Member must not be null"))
}

fn checked(limit: Option<usize>) -> Result<usize, Refusal> {
    match limit {
        Some(limit) if !(1..=MOST).contains(&limit) => {
            Err(invalid("limit", "Member must have value between 1 and 10000"))
        }
        limit => Ok(limit.unwrap_or(MOST)),
    }
}

fn told(context: &Context<'_>, event: Event) -> EventOut {
    let at = context.world.clock.to_client(event.at).as_millisecond();
    EventOut { timestamp: at, message: event.message, ingestion_time: at }
}

fn get_log_events(context: &Context<'_>, input: GetLogEvents) -> Result<LogEvents, Refusal> {
    let group = group(input.log_group_name, input.log_group_identifier)?;
    let stream = required(input.log_stream_name, || invalid("logStreamName", "Member must not be null"))?;
    let limit = checked(input.limit)?;
    let events = match context.world.logs.stream(&group, &stream) {
        Stream::NoGroup => return Err(not_found("log group")),
        Stream::NoStream => return Err(not_found("log stream")),
        Stream::Events(events) => events,
    };
    let events: Vec<EventOut> = events
        .into_iter()
        .map(|event| told(context, event))
        .filter(|event| input.start_time.is_none_or(|start| event.timestamp >= start))
        .filter(|event| input.end_time.is_none_or(|end| event.timestamp < end))
        .collect();
    let (from, to) = page(&input.next_token, events.len(), limit, input.start_from_head)?;
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

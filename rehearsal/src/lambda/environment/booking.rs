//! What becomes of an invocation, written into the world.

use std::time::Duration;

use super::Assignment;
use crate::lambda::aftermath;
use crate::world::World;
use crate::world::functions::{Function, Invocation, InvocationStatus};
use crate::world::journal::Who;
use crate::world::metrics::MetricId;

/// Ends an invocation that no process can serve.
pub(in crate::lambda) fn refuse(world: &World, invocation: &Invocation, reason: String) {
    let now = world.now();
    world.update(|state| {
        state.journal.say(now, Who::Lambda, format!("{} cannot be invoked: {reason}", invocation.function));
        if let Some(invocation) = state.invocation_mut(&invocation.id, invocation.attempt) {
            invocation.status = InvocationStatus::NotInvokable(reason);
            invocation.ended_at = Some(now);
        }
    });
}

/// Its process asked for its first event.
pub(super) fn note_init(world: &World, assignment: &Assignment, took: Duration) {
    world.update(|state| {
        if let Some(invocation) = state.invocation_mut(&assignment.id, assignment.attempt) {
            invocation.init = Some(took);
        }
    });
}

/// This process serves it.
pub(super) fn note_process(world: &World, assignment: &Assignment, process: u32) {
    world.update(|state| {
        if let Some(invocation) = state.invocation_mut(&assignment.id, assignment.attempt) {
            invocation.process = Some(process);
        }
    });
}

/// Ends an invocation. Its process wrote to this stream, if there was one.
pub(super) fn book(
    world: &World,
    function: &Function,
    assignment: &Assignment,
    status: InvocationStatus,
    took: Duration,
    peak_memory: Option<u64>,
    stream: Option<&str>,
) {
    let now = world.now();
    world.update(|state| {
        let Some(invocation) = state.invocation_mut(&assignment.id, assignment.attempt) else { return };
        invocation.status = status;
        invocation.ended_at = Some(now);
        invocation.took = Some(took);
        invocation.peak_memory = peak_memory;
        if function.colour.is_some() {
            // Users invoke it many times a second: what came of each stands in the ledger, and in CloudWatch.
            measure(world, function, invocation, took);
            return;
        }
        // With the end itself: whoever waits for it must find what follows from it.
        let notices = stream.map(|stream| aftermath::ends(world, function, invocation, stream)).unwrap_or_default();
        let (text, log) = (in_words(function, invocation), invocation.log.join("\n"));
        state.journal.say(now, Who::Lambda, text);
        if !log.is_empty() {
            state.journal.say(now, Who::Hook, log);
        }
        state.notices.extend(notices);
    });
}

/// What CloudWatch counts of an invocation: for the function, for what it was invoked by, and behind an alias for each
/// version too.
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html>
fn measure(world: &World, function: &Function, invocation: &Invocation, took: Duration) {
    let now = world.now();
    let by = format!("{}:{}", function.name, invocation.qualifier);
    let of_function = [("FunctionName", function.name.as_str())];
    let of_resource = [("FunctionName", function.name.as_str()), ("Resource", by.as_str())];
    let of_version = [of_resource[0], of_resource[1], ("ExecutedVersion", function.version.as_str())];
    let behind_alias = invocation.qualifier != function.version;
    let error = if invocation.status.is_function_error() { 1.0 } else { 0.0 };
    let samples = [("Invocations", 1.0), ("Errors", error), ("Duration", took.as_secs_f64() * 1000.0)];
    for (name, value) in samples {
        let record = |dimensions: &[(&str, &str)]| {
            world.metrics.record(&MetricId::new("AWS/Lambda", name, dimensions), now, value);
        };
        record(&of_function);
        record(&of_resource);
        if behind_alias {
            record(&of_version);
        }
    }
}

/// A process was lost outside an invocation.
pub(super) fn say_lost(world: &World, function: &Function, how: &str) {
    world.say(Who::Lambda, format!("{} {how}; its next invocation is a cold start", function.label()));
}

fn in_words(function: &Function, invocation: &Invocation) -> String {
    let name = &function.name;
    let took = invocation.took.unwrap_or_default().as_millis();
    let mut measured = Vec::new();
    if let Some(init) = invocation.init {
        measured.push(format!("cold start {} ms", init.as_millis()));
    }
    if let Some(peak) = invocation.peak_memory {
        measured.push(format!("{} MiB", mebibytes(peak)));
    }
    let measured = if measured.is_empty() { String::new() } else { format!(" ({})", measured.join(", ")) };
    match &invocation.status {
        InvocationStatus::Returned(_) => format!("{name} returned after {took} ms{measured}"),
        InvocationStatus::Errored(error) => {
            format!("{name} returned an error after {took} ms{measured}: {}", error_in_words(error))
        }
        InvocationStatus::TimedOut => {
            format!("{name} was killed at its timeout of {} s", function.timeout.as_secs_f64())
        }
        InvocationStatus::OutOfMemory => {
            let used = invocation.peak_memory.map(mebibytes).unwrap_or_default();
            format!("{name} was killed: it used {used} MiB, its limit is {} MiB", function.memory_mib)
        }
        InvocationStatus::Crashed(how) => {
            let last = invocation.log.iter().rev().find(|line| !line.trim().is_empty());
            let last = last.map_or("it wrote nothing".to_owned(), |line| format!("its last output: {}", line.trim()));
            format!("{name} ended before it answered, {how}; {last}")
        }
        InvocationStatus::NotInvokable(reason) => format!("{name} cannot be invoked: {reason}"),
        InvocationStatus::Queued | InvocationStatus::Running => format!("{name} goes on"),
    }
}

fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1024 * 1024)
}

fn error_in_words(error: &str) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_str(error).ok();
    let field = |name: &str| Some(parsed.as_ref()?.get(name)?.as_str()?.to_owned());
    match (field("errorType"), field("errorMessage")) {
        (Some(kind), Some(message)) if !message.is_empty() => format!("{kind}: {message}"),
        (Some(one), _) | (None, Some(one)) => one,
        (None, None) => error.to_owned(),
    }
}

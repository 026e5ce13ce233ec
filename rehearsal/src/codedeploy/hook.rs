//! Calling a function at a lifecycle event and waiting for its answer.

use std::time::Duration;

use jiff::SignedDuration;

use super::ending::Ending;
use super::engine::{Course, in_words};
use crate::world::deployments::EventStatus;
use crate::world::functions::{Invocation, InvocationStatus};
use crate::world::journal::Who;

/// How much real time an hour of silence takes.
const SILENCE_TAKES: Duration = Duration::from_millis(1500);

/// Calls the function of this event, if the AppSpec names one, and waits for its answer.
pub(super) async fn call(course: &Course, event: &str) -> Result<(), Ending> {
    let function = course.records().and_then(|(deployment, _)| {
        deployment.events.iter().find(|it| it.name == event).and_then(|it| it.function.clone())
    });
    let Some(function) = function else {
        course.end(event, EventStatus::Skipped);
        return Ok(());
    };
    course.begin(event);
    let invocation = invoke(course, event, &function);
    course.say(format!("{event}: calls {}", name(&function)));
    let timeout = course.switches.hook_timeout;
    let ends = course.world.now() + SignedDuration::try_from(timeout).unwrap_or(SignedDuration::MAX);
    let answered = course.world.until(|state| {
        let deployment = state.codedeploy.deployment(&course.id)?;
        let event = deployment.events.iter().find(|it| it.name == event)?;
        (event.status != EventStatus::InProgress).then_some(event.status)
    });
    let silence = async {
        // Nothing works any more once the function has ended: the rest of the hour is only waiting.
        let status = course
            .world
            .until(|state| {
                let found = state.invocations.iter().find(|it| it.id == invocation)?;
                found.status.is_final().then(|| found.status.clone())
            })
            .await;
        if let InvocationStatus::NotInvokable(reason) = status {
            return Ending::HookNotInvokable { event: event.to_owned(), reason };
        }
        report(course, &invocation);
        // An answer may be on its way while the function returns; only real silence is skipped.
        tokio::time::sleep(Duration::from_millis(50)).await;
        course.say(format!("{event}: {} has ended without an answer; CodeDeploy waits", name(&function)));
        let left = ends.duration_since(course.world.now()).unsigned_abs();
        course.world.clock.skip(left, SILENCE_TAKES).await;
        Ending::HookSilent { event: event.to_owned(), after: timeout }
    };
    let status = tokio::select! {
        biased;
        status = answered => status,
        ending = silence => {
            course.end(event, EventStatus::Failed);
            return Err(ending);
        }
        () = course.world.clock.sleep_until(ends) => {
            course.end(event, EventStatus::Failed);
            return Err(Ending::HookSilent { event: event.to_owned(), after: timeout });
        }
    };
    wait_for_its_log(course, &invocation).await;
    report(course, &invocation);
    if status == EventStatus::Succeeded {
        course.say(format!("{event}: Succeeded"));
        Ok(())
    } else {
        course.say(format!("{event}: Failed"));
        Err(Ending::HookFailed { event: event.to_owned(), function: name(&function).to_owned() })
    }
}

/// Writes what the function wrote into the journal.
fn report(course: &Course, invocation: &str) {
    let found = course.world.read(|state| state.invocations.iter().rev().find(|it| it.id == invocation).cloned());
    let Some(found) = found else { return };
    let mut text = summary(&found);
    for line in &found.log {
        text.push('\n');
        text.push_str(line);
    }
    course.world.say(Who::Hook, text);
}

/// How it ran, as Lambda's own `REPORT` line tells it.
fn summary(invocation: &Invocation) -> String {
    let how = match &invocation.status {
        InvocationStatus::Errored(error) => format!("ended with an error: {error}"),
        InvocationStatus::TimedOut => "was killed at its timeout".to_owned(),
        InvocationStatus::OutOfMemory => "was killed at its memory limit".to_owned(),
        InvocationStatus::Crashed(how) => format!("ended before it answered: {how}"),
        InvocationStatus::NotInvokable(why) => format!("could not be started: {why}"),
        InvocationStatus::Queued | InvocationStatus::Running => "still runs".to_owned(),
        InvocationStatus::Returned(_) => "returned".to_owned(),
    };
    let mut text = format!("{} {how}", invocation.function);
    if let Some(init) = invocation.init {
        text.push_str(&format!(", cold start {} ms", init.as_millis()));
    }
    if let Some(took) = invocation.took {
        text.push_str(&format!(", ran {} ms", took.as_millis()));
    }
    if let Some(bytes) = invocation.peak_memory {
        text.push_str(&format!(", {} MiB", bytes.div_ceil(1024 * 1024)));
    }
    text
}

/// The answer comes before the function returns; its log belongs before what happens next in the transcript.
async fn wait_for_its_log(course: &Course, invocation: &str) {
    let ended = course.world.until(|state| {
        state.invocations.iter().find(|it| it.id == invocation).is_none_or(|it| it.status.is_final()).then_some(())
    });
    // A function that answers and then never returns must not hold the deployment.
    let patience = tokio::time::sleep(Duration::from_secs(2));
    tokio::select! { () = ended => {}, () = patience => {} }
}

fn invoke(course: &Course, event: &str, function: &str) -> String {
    let now = course.world.now();
    let execution = uuid::Uuid::new_v4().simple().to_string();
    let payload = serde_json::json!({ "DeploymentId": course.id, "LifecycleEventHookExecutionId": execution });
    course.world.update(|state| {
        if let Some(deployment) = state.codedeploy.deployment_mut(&course.id)
            && let Some(event) = deployment.events.iter_mut().find(|it| it.name == event)
        {
            event.hook_execution_id = Some(execution.clone());
        }
        state.invoke(function, payload.to_string(), now)
    })
}

/// The name of a function given by name or ARN, without a version.
pub(super) fn name(function: &str) -> &str {
    match function.split_once(":function:") {
        Some((_, rest)) => rest.split(':').next().unwrap_or(rest),
        None => function,
    }
}

/// What the deployment says of a hook that never answered.
pub(super) fn silence_message(event: &str, after: Duration) -> String {
    format!("The {event} hook did not answer within {}", in_words(after))
}

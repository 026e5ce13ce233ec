//! Calling a function at a lifecycle event and waiting for its answer.

use std::time::Duration;

use jiff::SignedDuration;

use super::ending::Ending;
use super::engine::{Course, in_words};
use crate::world::deployments::EventStatus;
use crate::world::functions::InvocationStatus;

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
    if course.world.read(|state| state.codedeploy.parked_at.as_deref() == Some(event)) {
        course.say(format!("{event}: stands still, and nobody is called"));
        return std::future::pending().await;
    }
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
        // Who answers in the place of a hook that died is told of it by AWS.
        course.world.until(|state| state.hooks_are_quiet().then_some(())).await;
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
    wait_for_their_logs(course).await;
    if status == EventStatus::Succeeded {
        course.say(format!("{event}: Succeeded"));
        Ok(())
    } else {
        course.say(format!("{event}: Failed"));
        Err(Ending::HookFailed { event: event.to_owned(), function: name(&function).to_owned() })
    }
}

/// The answer comes before the function returns that gave it; its log belongs before what happens next in the transcript.
async fn wait_for_their_logs(course: &Course) {
    let ended = course.world.until(|state| state.hooks_have_ended().then_some(()));
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
        let id = state.invoke(function, payload.to_string(), now);
        if let Some(invocation) = state.invocation_mut(&id, 1)
            && !course.switches.invokes_hooks_with_event
        {
            invocation.by_event = false;
            invocation.retries_left = 0;
        }
        id
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

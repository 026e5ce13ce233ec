//! Hooks of a stage: functions that are called until they have decided, and pauses at which a person decides.

use std::time::Duration;

use futures::future::try_join_all;
use greenlight::lifecycle_stage::LifecycleStage;
use jiff::SignedDuration;
use serde_json::{Map, Value};

use super::answer::Answer;
use super::ending::Ending;
use super::engine::Course;
use super::event::{self, Weights};
use crate::codedeploy::engine::in_words;
use crate::world::deployment_configuration::{HookAction, HookTarget, LifecycleHook};
use crate::world::service_deployments::{HookExecution, HookStatus};

/// How much real time a wait between two calls of a function may take.
const CALL_BACK_TAKES: Duration = Duration::from_millis(300);

/// Calls every hook of this stage side by side while green has this share of what moves there, in percent. All must be done
/// before the deployment goes on; the first that fails ends it.
pub(super) async fn call(course: &Course, stage: LifecycleStage, green: f64) -> Result<(), Ending> {
    let hooks = course.deployment().settings.configuration.hooks;
    let of_stage = hooks.iter().filter(|hook| hook.stages.contains(&stage));
    try_join_all(of_stage.map(|hook| execute(course, hook, stage, green))).await.map(drop)
}

async fn execute(course: &Course, hook: &LifecycleHook, stage: LifecycleStage, green: f64) -> Result<(), Ending> {
    let execution = begin(course, hook, stage);
    let decided = async {
        match &hook.target {
            HookTarget::Function { arn, .. } => ask(course, arn, &execution, green).await,
            HookTarget::Pause => wait_for_a_person(course, &execution).await,
        }
    };
    let in_time = tokio::select! {
        biased;
        () = course.world.clock.sleep_until(execution.expires_at) => None,
        result = decided => Some(result),
    };
    let (status, result) = match in_time {
        Some(Ok(())) => (HookStatus::Succeeded, Ok(())),
        Some(Err(ending)) => (HookStatus::Failed, Err(ending)),
        None => {
            let name = name(&hook.target).to_owned();
            let after = hook.timeout.after;
            course.say(format!(
                "{stage}: {name} was not done within {}; ECS does what it was told to do then: {}",
                in_words(after),
                hook.timeout.action.name()
            ));
            let timed_out = Err(Ending::HookTimedOut { stage, hook: name, after });
            (HookStatus::TimedOut, if hook.timeout.action == HookAction::Continue { Ok(()) } else { timed_out })
        }
    };
    course.record(|deployment| {
        if let Some(hook) = deployment.hook_mut(&execution.id) {
            hook.status = status;
        }
    });
    result
}

/// Files an execution.
fn begin(course: &Course, hook: &LifecycleHook, stage: LifecycleStage) -> HookExecution {
    let deployment = course.deployment();
    let now = course.world.now();
    let unique = uuid::Uuid::new_v4();
    let (id, status, details) = match &hook.target {
        HookTarget::Pause => (format!("ecs-pause-{}", unique.simple()), HookStatus::AwaitingAction, None),
        HookTarget::Function { details, .. } => {
            let mut earlier = deployment.hooks.iter().rev().filter(|it| it.target == hook.target);
            let kept = earlier.next().filter(|_| !course.switches.hook_details_end_with_the_stage);
            let kept = kept.and_then(|it| it.details.clone());
            (unique.to_string(), HookStatus::InProgress, kept.or_else(|| details.clone()))
        }
    };
    // A stage ends after a day, whatever a function's own limit is; a pause may last for longer.
    let limit = match &hook.target {
        HookTarget::Function { .. } => hook.timeout.after.min(course.switches.stage_timeout),
        HookTarget::Pause => hook.timeout.after,
    };
    let execution = HookExecution {
        id,
        stage,
        rolls_back: deployment.status.goes_back(),
        target: hook.target.clone(),
        status,
        expires_at: now + SignedDuration::try_from(limit).unwrap_or(SignedDuration::MAX),
        timeout_action: hook.timeout.action,
        details,
        invocations: 0,
        decision: None,
    };
    course.record(|deployment| deployment.hooks.push(execution.clone()));
    execution
}

/// Calls a function until it has decided.
async fn ask(course: &Course, function: &str, execution: &HookExecution, green: f64) -> Result<(), Ending> {
    let (stage, name) = (execution.stage, name(&execution.target));
    let weights = Weights::at(stage, &course.deployment(), green);
    let mut execution = execution.clone();
    loop {
        course.say(format!("{stage}: calls {name}{}", if execution.rolls_back { " for the rollback" } else { "" }));
        let answer = invoke(course, function, &execution, &weights).await;
        match answer {
            Answer::Succeeded => {
                course.say(format!("{stage}: {name} answered SUCCEEDED"));
                return Ok(());
            }
            Answer::Failed => {
                course.say(format!("{stage}: {name} answered FAILED"));
                return Err(Ending::HookFailed { stage, function: name.to_owned(), why: "answered FAILED".to_owned() });
            }
            Answer::Invalid(why) => {
                course.say(format!("{stage}: {name} gave no answer that counts: {why}"));
                return Err(Ending::HookFailed { stage, function: name.to_owned(), why: format!("failed: {why}") });
            }
            Answer::InProgress { after, details } => {
                course.say(format!("{stage}: {name} answered IN_PROGRESS; ECS calls it again in {}", in_words(after)));
                keep(course, &mut execution, details);
                wait(course, function, after).await;
            }
        }
    }
}

async fn invoke(course: &Course, function: &str, execution: &HookExecution, weights: &Weights) -> Answer {
    let now = course.world.now();
    let event = event::payload(&course.deployment(), execution, weights, course.switches.flat_events);
    let invocation = course.world.update(|state| {
        if let Some(hook) = state.service_deployment_mut(&course.arn).and_then(|it| it.hook_mut(&execution.id)) {
            hook.invocations += 1;
        }
        state.call(function, event.to_string(), now)
    });
    let status = course.world.until(|state| {
        let status = &state.invocation(&invocation)?.status;
        status.is_final().then(|| status.clone())
    });
    Answer::of(&status.await)
}

/// What a function returned is merged into what it is given next.
fn keep(course: &Course, execution: &mut HookExecution, returned: Map<String, Value>) {
    if returned.is_empty() {
        return;
    }
    execution.details.get_or_insert_default().extend(returned);
    let details = execution.details.clone();
    course.record(|deployment| {
        if let Some(hook) = deployment.hook_mut(&execution.id) {
            hook.details = details;
        }
    });
}

/// Between two calls nothing works. Of a function whose own waits were shortened the world's time keeps the same proportion to
/// the function's clock as while it works.
async fn wait(course: &Course, function: &str, after: Duration) {
    let pace = course.world.read(|state| state.function(function).map_or(1.0, |function| function.pace));
    if pace > 1.0 {
        let _as_while_it_works = course.world.clock.working_at(pace);
        course.world.clock.sleep(after.mul_f64(pace)).await;
    } else {
        course.world.clock.skip(after, CALL_BACK_TAKES).await;
    }
}

async fn wait_for_a_person(course: &Course, execution: &HookExecution) -> Result<(), Ending> {
    let stage = execution.stage;
    course.say(format!("{stage}: pauses until a person decides"));
    let decided = course.world.until(|state| {
        let deployment = state.service_deployment(&course.arn)?;
        deployment.hooks.iter().find(|hook| hook.id == execution.id)?.decision
    });
    match decided.await {
        HookAction::Continue => {
            course.say(format!("{stage}: a person lets it go on"));
            Ok(())
        }
        HookAction::Rollback => Err(Ending::PersonRollsBack(stage)),
    }
}

/// What a hook is called in messages.
fn name(target: &HookTarget) -> &str {
    match target {
        HookTarget::Pause => "pause",
        HookTarget::Function { arn, .. } => arn.rsplit(':').next().unwrap_or(arn),
    }
}

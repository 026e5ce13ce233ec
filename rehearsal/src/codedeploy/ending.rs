//! How a deployment ends, and what CodeDeploy does then.

use std::time::Duration;

use jiff::Timestamp;

use super::api;
use super::engine::{Course, in_words};
use super::hook::silence_message;
use crate::world::State;
use crate::world::alarms::AlarmState;
use crate::world::deployments::{
    Creator, Deployment, DeploymentError, DeploymentGroup, DeploymentStatus, EventStatus, RollbackEvent,
};

/// Why a deployment did not succeed.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// A hook answered `Failed`.
    HookFailed {
        /// Its lifecycle event.
        event: String,
        /// Its function.
        function: String,
    },
    /// A hook did not answer in time.
    HookSilent {
        /// Its lifecycle event.
        event: String,
        /// How long CodeDeploy waited.
        after: Duration,
    },
    /// A hook's function could not be called.
    HookNotInvokable {
        /// Its lifecycle event.
        event: String,
        /// Why.
        reason: String,
    },
    /// Green did not become what Install waits for.
    InstallTimedOut(Duration),
    /// ECS refused.
    Ecs(String),
    /// The function or its alias is not as the AppSpec says.
    Lambda {
        /// `ErrorCode`.
        code: &'static str,
        /// In words.
        message: String,
    },
    /// These alarms fire.
    Alarms(Vec<String>),
    /// Somebody asked.
    StopRequested,
    /// The world contradicts itself.
    Internal(&'static str),
}

impl Ending {
    pub(super) fn internal(what: &'static str) -> Self {
        Self::Internal(what)
    }

    /// `ErrorCode` and message of the deployment.
    /// <https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_ErrorInformation.html>
    fn error(&self) -> DeploymentError {
        let (code, message) = match self {
            Self::HookFailed { event, function } => {
                ("HOOK_EXECUTION_FAILURE", format!("The {event} hook {function} answered Failed"))
            }
            Self::HookSilent { event, after } => ("HOOK_EXECUTION_FAILURE", silence_message(event, *after)),
            Self::HookNotInvokable { event, reason } => {
                ("HOOK_EXECUTION_FAILURE", format!("The {event} hook could not be called: {reason}"))
            }
            Self::InstallTimedOut(after) => {
                ("TIMEOUT", format!("Green did not reach a steady state within {}", in_words(*after)))
            }
            Self::Ecs(message) => ("ECS_UPDATE_ERROR", message.clone()),
            Self::Lambda { code, message } => (*code, message.clone()),
            Self::Alarms(names) => {
                ("ALARM_ACTIVE", format!("One or more alarms have been activated: {}", names.join(", ")))
            }
            Self::StopRequested => ("MANUAL_STOP", "The deployment was stopped on request".to_owned()),
            Self::Internal(what) => ("INTERNAL_ERROR", (*what).to_owned()),
        };
        DeploymentError { code, message }
    }

    fn status(&self) -> DeploymentStatus {
        match self {
            Self::Alarms(_) | Self::StopRequested => DeploymentStatus::Stopped,
            _ => DeploymentStatus::Failed,
        }
    }

    fn rollback_event(&self) -> RollbackEvent {
        match self {
            Self::Alarms(_) => RollbackEvent::StopOnAlarm,
            Self::StopRequested => RollbackEvent::StopOnRequest,
            _ => RollbackEvent::Failure,
        }
    }
}

/// Waits until somebody or an alarm stops the deployment.
pub(super) async fn stopped(course: &Course, deployment: &Deployment, group: &DeploymentGroup) -> Ending {
    let requested = course
        .world
        .until(|state| state.codedeploy.deployment(&deployment.id).is_some_and(|it| it.stop_requested).then_some(()));
    let alarm = async {
        loop {
            course.world.clock.sleep(course.switches.looks_at_alarms_every).await;
            let since = (!course.switches.stops_for_alarms_that_fired_before).then_some(deployment.created_at);
            let firing = course.world.read(|state| firing(state, group, since));
            if !firing.is_empty() {
                return Ending::Alarms(firing);
            }
        }
    };
    tokio::select! {
        () = requested => Ending::StopRequested,
        ending = alarm => ending,
    }
}

/// The alarms that fire; only those that began to after `since`, where one is given.
fn firing(state: &State, group: &DeploymentGroup, since: Option<Timestamp>) -> Vec<String> {
    if !group.alarms_enabled {
        return Vec::new();
    }
    let fires = |name: &&String| {
        let alarm = state.alarm(name).filter(|alarm| alarm.state == AlarmState::Alarm);
        alarm.is_some_and(|alarm| since.is_none_or(|since| alarm.since > since))
    };
    group.alarms.iter().filter(fires).cloned().collect()
}

/// Writes the end into the record, and begins a rollback where the group wants one. What is to be said is said first:
/// whoever waits for the end finds it in the journal.
pub(super) fn finish(course: &Course, group: &DeploymentGroup, result: Result<(), Ending>) {
    let now = course.world.now();
    let is_rollback = course.records().is_some_and(|(deployment, _)| deployment.rolls_back.is_some());
    let what = if is_rollback { "rollback" } else { "deployment" };
    let Err(ending) = result else {
        course.say(format!("{what} {} Succeeded", course.id));
        course.record(|deployment| {
            deployment.status = DeploymentStatus::Succeeded;
            deployment.completed_at = Some(now);
        });
        return;
    };
    let (error, status) = (ending.error(), ending.status());
    course.say(format!("{what} {} {}: {}", course.id, status.name(), error.message));
    let rolls_back = wants_rollback(course, group, &ending);
    if !rolls_back {
        nothing_moves_back(course, group, &ending);
    }
    // One change of the world: nobody sees the end without the rollback that follows from it.
    course.world.update(|state| {
        let Some(deployment) = state.codedeploy.deployment_mut(&course.id) else { return };
        for event in &mut deployment.events {
            match event.status {
                EventStatus::InProgress => {
                    event.status = EventStatus::Failed;
                    event.ended_at = Some(now);
                    event.diagnostics = Some(error.message.clone());
                }
                EventStatus::Failed => event.diagnostics = Some(error.message.clone()),
                EventStatus::Pending => event.status = EventStatus::Skipped,
                EventStatus::Succeeded | EventStatus::Skipped => {}
            }
        }
        deployment.status = status;
        deployment.completed_at = Some(now);
        deployment.error = Some(error);
        if rolls_back {
            begin_rollback(state, &course.id, now);
        }
    });
}

/// A rollback is never rolled back itself.
fn wants_rollback(course: &Course, group: &DeploymentGroup, ending: &Ending) -> bool {
    let Some((deployment, _)) = course.records() else { return false };
    let armed = deployment.auto_rollback_override.as_ref().unwrap_or(&group.auto_rollback);
    deployment.rolls_back.is_none() && armed.as_ref().is_some_and(|events| events.contains(&ending.rollback_event()))
}

/// A rollback is a new deployment with an id of its own.
/// <https://docs.aws.amazon.com/codedeploy/latest/userguide/deployments-rollback-and-redeploy.html>
fn begin_rollback(state: &mut State, id: &str, now: Timestamp) {
    let Some(failed) = state.codedeploy.deployment(id).cloned() else { return };
    let location = failed.previous_revision.clone().unwrap_or_else(|| failed.revision.clone());
    let Some(revision) = state.codedeploy.revision(&failed.application, &location).cloned() else { return };
    let rollback = api::new_id();
    if let Some(failed) = state.codedeploy.deployment_mut(id) {
        failed.rolled_back_by = Some(rollback.clone());
    }
    state.codedeploy.deployments.push(Deployment {
        id: rollback,
        events: api::events(&revision),
        revision: location,
        creator: Creator::CodeDeployRollback,
        status: DeploymentStatus::Created,
        description: Some(format!("Rollback of deployment {id}")),
        created_at: now,
        started_at: None,
        completed_at: None,
        error: None,
        rolls_back: Some(failed.id.clone()),
        rolled_back_by: None,
        termination_wait_started: false,
        stop_requested: false,
        ..failed
    });
}

/// Without automatic rollback everything stays as it is.
fn nothing_moves_back(course: &Course, group: &DeploymentGroup, ending: &Ending) {
    let Some((deployment, _)) = course.records() else { return };
    let (green, percent) = (deployment.green.is_some(), deployment.green_percent);
    if group.service().is_none() {
        course.say(format!(
            "the group has no automatic rollback on {}: nothing moves back. The alias stays with {percent} % on green; a \
             person must deploy the previous revision of {} to group {}",
            ending.rollback_event().name(),
            deployment.application,
            group.name
        ));
        return;
    }
    course.say(format!(
        "the group has no automatic rollback on {}: nothing moves back. Production: {} % on green. {}",
        ending.rollback_event().name(),
        percent,
        if green { "Green keeps running." } else { "Green was never made." },
    ));
    if green {
        course.say(format!(
            "what a person must do: deploy the previous revision of {} to group {}; until then green runs, the test \
             listener stays where it is",
            deployment.application, group.name
        ));
    }
}

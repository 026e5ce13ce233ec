//! How a deployment ends that ECS carries out, and what ECS does then.

use std::time::Duration;

use greenlight::lifecycle_stage::LifecycleStage;

use super::engine::Course;
use crate::codedeploy::engine::in_words;
use crate::world::State;
use crate::world::alarms::AlarmState;
use crate::world::service_deployments::{ServiceDeployment, StopType};

/// Why a deployment did not succeed.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// A hook said no, or nothing that counts.
    HookFailed {
        /// Its stage.
        stage: LifecycleStage,
        /// Its function.
        function: String,
        /// What it did.
        why: String,
    },
    /// A hook was not done in time, and what is done then is a rollback.
    HookTimedOut {
        /// Its stage.
        stage: LifecycleStage,
        /// Its function, or that it is a pause.
        hook: String,
        /// How long ECS waited.
        after: Duration,
    },
    /// A person decided so at a pause.
    PersonRollsBack(LifecycleStage),
    /// A stage took too long.
    StageTimedOut(LifecycleStage, Duration),
    /// Green's tasks failed so often in a row.
    CircuitBreaker(u32),
    /// These alarms fire.
    Alarms(Vec<String>),
    /// Somebody asked.
    Stopped(StopType),
    /// ECS could not do what it had to.
    Ecs(String),
}

/// What follows from an ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consequence {
    /// Blue serves again.
    Rollback,
    /// Everything stays as it is.
    Stop,
}

impl Ending {
    /// `statusReason`.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::HookFailed { stage, function, why } => format!("the {stage} hook {function} {why}"),
            Self::HookTimedOut { stage, hook, after } => {
                format!("the {stage} hook {hook} was not done within {}", in_words(*after))
            }
            Self::PersonRollsBack(stage) => format!("a person rolls back at the pause at {stage}"),
            Self::StageTimedOut(stage, after) => format!("{stage} was not done within {}", in_words(*after)),
            Self::CircuitBreaker(count) => {
                format!("the deployment circuit breaker was triggered: {count} tasks in a row failed")
            }
            Self::Alarms(names) => format!("one or more alarms fire: {}", names.join(", ")),
            Self::Stopped(StopType::Rollback | StopType::Abort) => "it was stopped on request".to_owned(),
            Self::Stopped(StopType::Replaced) => "another deployment of the service was begun".to_owned(),
            Self::Ecs(reason) => reason.clone(),
        }
    }

    /// What ECS does: alarms and the circuit breaker say themselves whether they roll back.
    pub(super) fn consequence(&self, deployment: &ServiceDeployment) -> Consequence {
        let configuration = &deployment.settings.configuration;
        let back = match self {
            Self::Alarms(_) => configuration.alarms.as_ref().is_some_and(|alarms| alarms.rollback),
            Self::CircuitBreaker(_) => configuration.circuit_breaker.is_some_and(|breaker| breaker.rollback),
            Self::Stopped(how) => *how == StopType::Rollback,
            Self::HookFailed { .. }
            | Self::HookTimedOut { .. }
            | Self::PersonRollsBack(_)
            | Self::StageTimedOut(..)
            | Self::Ecs(_) => true,
        };
        if back { Consequence::Rollback } else { Consequence::Stop }
    }
}

/// Waits until somebody or an alarm ends the deployment.
pub(super) async fn stopped(course: &Course) -> Ending {
    let requested = course
        .world
        .until(|state| state.service_deployment(&course.arn).and_then(|deployment| deployment.stop_requested));
    let alarm = async {
        loop {
            course.world.clock.sleep(course.switches.looks_at_alarms_every).await;
            let firing = course.world.read(|state| firing(state, course));
            if !firing.is_empty() {
                course.record(|deployment| deployment.triggered_alarms.clone_from(&firing));
                return Ending::Alarms(firing);
            }
        }
    };
    tokio::select! {
        how = requested => Ending::Stopped(how),
        ending = alarm => ending,
    }
}

fn firing(state: &State, course: &Course) -> Vec<String> {
    let Some(deployment) = state.service_deployment(&course.arn) else { return Vec::new() };
    let Some(alarms) = &deployment.settings.configuration.alarms else { return Vec::new() };
    let fires = |name: &&String| {
        let alarm = state.alarm(name).filter(|alarm| alarm.state == AlarmState::Alarm);
        alarm.is_some_and(|alarm| {
            course.switches.stops_for_alarms_that_fired_before || alarm.since > deployment.created_at
        })
    };
    alarms.names.iter().filter(fires).cloned().collect()
}

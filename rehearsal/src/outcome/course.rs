//! How a deployment went, whoever carried it out.

use jiff::Timestamp;

use super::{ErrorOutcome, EventOutcome, RollbackOutcome};
use crate::scenario::DeploymentEngine;
use crate::world::State;
use crate::world::deployments::{Deployment, EventStatus, LifecycleEvent};
use crate::world::service_deployments::{ServiceDeployment, ServiceDeploymentStatus, StageRecord, StageStatus};

/// What both engines tell.
pub(super) struct Course {
    pub(super) engine: &'static str,
    pub(super) status: &'static str,
    pub(super) error: Option<ErrorOutcome>,
    pub(super) ended_at: String,
    pub(super) took_seconds: Option<f64>,
    pub(super) rollback: Option<RollbackOutcome>,
    pub(super) events: Vec<EventOutcome>,
}

pub(super) fn of_codedeploy(state: &State, id: &str) -> Course {
    let deployment = state.codedeploy.deployment(id);
    let rollback = deployment.and_then(|it| it.rolled_back_by.as_deref());
    let rollback = rollback.and_then(|id| state.codedeploy.deployment(id));
    let event = |event: &LifecycleEvent| EventOutcome {
        name: event.name,
        status: event.status.name(),
        took_seconds: seconds(event.started_at, event.ended_at),
    };
    Course {
        engine: DeploymentEngine::CodeDeploy.name(),
        status: deployment.map_or("unknown", |it| it.status.name()),
        error: deployment
            .and_then(|it| it.error.as_ref())
            .map(|it| ErrorOutcome { code: Some(it.code), message: it.message.clone() }),
        ended_at: deployment.map(last_event).unwrap_or_default(),
        took_seconds: deployment.and_then(|it| seconds(Some(it.created_at), it.completed_at)),
        rollback: rollback.map(|it| RollbackOutcome { deployment: it.id.clone(), status: it.status.name() }),
        events: deployment.map(|it| it.events.iter().map(event).collect()).unwrap_or_default(),
    }
}

pub(super) fn of_ecs(deployment: &ServiceDeployment) -> Course {
    let stage = |record: &StageRecord| EventOutcome {
        name: record.stage.name(),
        status: record.status.name(),
        took_seconds: seconds(Some(record.started_at), record.ended_at),
    };
    let failed = deployment.stages.iter().find(|it| it.status == StageStatus::Failed);
    let succeeded = deployment.status == ServiceDeploymentStatus::Successful;
    let reason = deployment.status_reason.clone().filter(|_| !succeeded);
    Course {
        engine: DeploymentEngine::Ecs.name(),
        status: deployment.status.name(),
        error: reason.map(|message| ErrorOutcome { code: None, message }),
        ended_at: failed.or(deployment.stages.last()).map(|it| it.stage.name().to_owned()).unwrap_or_default(),
        took_seconds: seconds(Some(deployment.created_at), deployment.finished_at),
        rollback: deployment
            .rollback
            .as_ref()
            .map(|_| RollbackOutcome { deployment: deployment.arn.clone(), status: deployment.status.name() }),
        events: deployment.stages.iter().map(stage).collect(),
    }
}

fn seconds(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<f64> {
    Some(to?.duration_since(from?).as_secs_f64())
}

fn last_event(deployment: &Deployment) -> String {
    let failed = deployment.events.iter().find(|event| event.status == EventStatus::Failed);
    let last = deployment.events.iter().rfind(|event| event.status == EventStatus::Succeeded);
    failed.or(last).map(|event| event.name.to_owned()).unwrap_or_default()
}

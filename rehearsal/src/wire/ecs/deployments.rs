//! `deployments` and the current revisions of a service whose deployments ECS carries out.

use serde::Serialize;

use super::services::is_pending;
use super::{NETWORK, NetworkConfiguration};
use crate::wire::context::{Context, Time};
use crate::world::State;
use crate::world::service_deployments::{ServiceDeployment, ServiceDeploymentStatus, ServiceRevision};
use crate::world::services::{Service, TaskStatus};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeploymentOut {
    id: String,
    status: &'static str,
    task_definition: String,
    desired_count: u32,
    pending_count: usize,
    running_count: usize,
    failed_tasks: u32,
    created_at: Time,
    updated_at: Time,
    launch_type: &'static str,
    platform_version: &'static str,
    platform_family: &'static str,
    network_configuration: NetworkConfiguration,
    rollout_state: &'static str,
    rollout_state_reason: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CurrentRevision {
    arn: String,
    requested_task_count: u32,
    running_task_count: usize,
    pending_task_count: usize,
}

/// Tasks of a revision: wanted, running, pending.
pub(super) fn tasks(state: &State, revision: &ServiceRevision) -> (u32, usize, usize) {
    let count = |wanted: fn(TaskStatus) -> bool| {
        state.live_tasks(&revision.task_set).filter(|task| wanted(task.status)).count()
    };
    let desired = state.task_set(&revision.task_set).map_or(0, |set| set.desired);
    (desired, count(|it| it == TaskStatus::Running), count(is_pending))
}

/// Those that run, and the one that is deployed: the latest first.
fn revisions<'a>(state: &'a State, service: &'a Service) -> Vec<&'a ServiceRevision> {
    let deployed = last(state, service).filter(|it| !it.status.is_final()).map(|it| it.target.as_str());
    let of_service = state.service_revisions.iter().rev();
    let of_service = of_service.filter(|it| it.cluster == service.cluster && it.service == service.name);
    of_service.filter(|it| service.task_set(&it.task_set).is_some() || deployed == Some(it.arn.as_str())).collect()
}

fn last<'a>(state: &'a State, service: &'a Service) -> Option<&'a ServiceDeployment> {
    state.deployments_of(&service.cluster, &service.name).next_back()
}

/// Each revision that runs has a deployment, as with rolling updates; its id is what tasks are started by.
pub(super) fn of(context: &Context<'_>, state: &State, service: &Service) -> Vec<DeploymentOut> {
    let last = last(state, service);
    revisions(state, service).into_iter().map(|revision| told(context, state, last, revision)).collect()
}

fn told(
    context: &Context<'_>,
    state: &State,
    last: Option<&ServiceDeployment>,
    revision: &ServiceRevision,
) -> DeploymentOut {
    let is_target = last.is_some_and(|it| it.target == revision.arn);
    let goes_back = last.is_some_and(|it| it.status.goes_back());
    let set = state.task_set(&revision.task_set);
    let (desired, running, pending) = tasks(state, revision);
    let rollout = match last.map(|it| it.status) {
        Some(status) if is_target && goes_back => ("FAILED", status),
        Some(status) if is_target && !status.is_final() => ("IN_PROGRESS", status),
        Some(status) => ("COMPLETED", status),
        None => ("COMPLETED", ServiceDeploymentStatus::Successful),
    };
    DeploymentOut {
        id: revision.task_set.clone(),
        status: if is_target != goes_back { "PRIMARY" } else { "ACTIVE" },
        task_definition: revision.task_definition.clone(),
        desired_count: desired,
        pending_count: pending,
        running_count: running,
        failed_tasks: last.filter(|_| is_target).map_or(0, |it| it.failed_tasks),
        created_at: context.time(revision.created_at),
        updated_at: context.time(set.map_or(revision.created_at, |set| set.stability_at)),
        launch_type: "FARGATE",
        platform_version: "1.4.0",
        platform_family: "Linux",
        network_configuration: NETWORK,
        rollout_state: rollout.0,
        rollout_state_reason: format!("The service deployment is {}.", rollout.1.name()),
    }
}

/// ARN of the last service deployment.
pub(super) fn current(state: &State, service: &Service) -> Option<String> {
    service.controller.native()?;
    last(state, service).map(|it| it.arn.clone())
}

pub(super) fn current_revisions(state: &State, service: &Service) -> Vec<CurrentRevision> {
    if service.controller.native().is_none() {
        return Vec::new();
    }
    let told = |revision: &ServiceRevision| {
        let (requested_task_count, running_task_count, pending_task_count) = tasks(state, revision);
        CurrentRevision { arn: revision.arn.clone(), requested_task_count, running_task_count, pending_task_count }
    };
    revisions(state, service).into_iter().map(told).collect()
}

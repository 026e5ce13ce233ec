//! The target of a deployment, which for ECS is the service, with its lifecycle events; and the hooks' answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{deployment, deployment_id, page};
use crate::codedeploy::api;
use crate::wire::context::{Context, Time, required};
use crate::wire::refusal::Refusal;
use crate::world::deployments::{Deployment, DeploymentStatus, EventStatus, LifecycleEvent};
use crate::world::services::{TaskSetStatus, TaskStatus};
use crate::world::{ACCOUNT, REGION, State};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListTargets {
    deployment_id: Option<String>,
    next_token: Option<String>,
    target_filters: Option<BTreeMap<String, Vec<String>>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TargetList {
    target_ids: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetTarget {
    deployment_id: Option<String>,
    target_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GotTarget {
    deployment_target: Target,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchGetTargets {
    deployment_id: Option<String>,
    target_ids: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GotTargets {
    deployment_targets: Vec<Target>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    deployment_target_type: &'static str,
    ecs_target: EcsTarget,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EcsTarget {
    deployment_id: String,
    target_id: String,
    target_arn: String,
    last_updated_at: Time,
    lifecycle_events: Vec<Event>,
    status: &'static str,
    task_sets_info: Vec<TaskSetInfo>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    lifecycle_event_name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    diagnostics: Option<Diagnostics>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<Time>,
    status: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Diagnostics {
    error_code: &'static str,
    message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TaskSetInfo {
    /// AWS's own spelling.
    identifer: String,
    desired_count: u32,
    pending_count: usize,
    running_count: usize,
    status: &'static str,
    traffic_weight: f64,
    target_group: TargetGroupInfo,
    task_set_label: &'static str,
}

#[derive(Serialize)]
struct TargetGroupInfo {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HookAnswer {
    deployment_id: Option<String>,
    lifecycle_event_hook_execution_id: Option<String>,
    status: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HookAnswered {
    lifecycle_event_hook_execution_id: String,
}

pub(super) fn list(context: &Context<'_>, input: ListTargets) -> Result<TargetList, Refusal> {
    let id = deployment_id(input.deployment_id)?;
    let all = context.world.read(|state| {
        let deployment = started(state, &id)?;
        let mut keep = true;
        for (name, values) in input.target_filters.unwrap_or_default() {
            match name.as_str() {
                "TargetStatus" => keep &= values.iter().any(|value| value == target_status(deployment)),
                // The service is neither blue nor green.
                "ServerInstanceLabel" => keep = false,
                _ => {
                    return Err(Refusal::new(
                        "InvalidTargetFilterNameException",
                        format!("{name} is not one of TargetStatus, ServerInstanceLabel"),
                    ));
                }
            }
        }
        Ok(if keep { vec![target_id(state, deployment)] } else { Vec::new() })
    })?;
    let (target_ids, next_token) = page(context, all, input.next_token.as_deref())?;
    Ok(TargetList { target_ids, next_token })
}

pub(super) fn get(context: &Context<'_>, input: GetTarget) -> Result<GotTarget, Refusal> {
    let id = deployment_id(input.deployment_id)?;
    let wanted = required(input.target_id, no_target)?;
    context.world.read(|state| {
        let deployment = started(state, &id)?;
        Ok(GotTarget { deployment_target: target(context, state, deployment, &wanted)? })
    })
}

pub(super) fn batch_get(context: &Context<'_>, input: BatchGetTargets) -> Result<GotTargets, Refusal> {
    let id = deployment_id(input.deployment_id)?;
    let wanted = input.target_ids.unwrap_or_default();
    if wanted.is_empty() {
        return Err(no_target());
    }
    if wanted.len() > 25 {
        return Err(Refusal::new(
            "DeploymentTargetListSizeExceededException",
            "At most 25 deployment targets can be asked for",
        ));
    }
    context.world.read(|state| {
        let deployment = started(state, &id)?;
        let targets = wanted.iter().map(|wanted| target(context, state, deployment, wanted));
        Ok(GotTargets { deployment_targets: targets.collect::<Result<_, _>>()? })
    })
}

pub(super) fn answer_hook(context: &Context<'_>, input: HookAnswer) -> Result<HookAnswered, Refusal> {
    let id = deployment_id(input.deployment_id)?;
    context.world.read(|state| deployment(state, &id).map(|_| ()))?;
    let succeeded = match input.status.as_deref() {
        Some("Succeeded") => true,
        Some("Failed") => false,
        other => {
            let message = format!(
                "The status {} is not valid: only Succeeded or Failed can be passed",
                other.unwrap_or("(none)")
            );
            return Err(Refusal::new("InvalidLifecycleEventHookExecutionStatusException", message));
        }
    };
    let execution_id = input.lifecycle_event_hook_execution_id.unwrap_or_default();
    api::answer_hook(context.world, &id, &execution_id, succeeded)?;
    Ok(HookAnswered { lifecycle_event_hook_execution_id: execution_id })
}

/// A deployment that has begun: before that it has no targets.
fn started<'a>(state: &'a State, id: &str) -> Result<&'a Deployment, Refusal> {
    let deployment = deployment(state, id)?;
    let reached = deployment.events.iter().any(|event| event.status != EventStatus::Pending);
    if deployment.started_at.is_some() || reached {
        return Ok(deployment);
    }
    Err(Refusal::new("DeploymentNotStartedException", format!("The deployment {id} has not started")))
}

fn target(context: &Context<'_>, state: &State, deployment: &Deployment, wanted: &str) -> Result<Target, Refusal> {
    let target_id = target_id(state, deployment);
    if wanted != target_id {
        return Err(Refusal::new(
            "DeploymentTargetDoesNotExistException",
            format!("The deployment target {wanted} does not exist in the deployment {}", deployment.id),
        ));
    }
    let group = state.codedeploy.group(&deployment.application, &deployment.group);
    let service = group.and_then(|group| state.service(&group.cluster, &group.service));
    let stamps = deployment.events.iter().flat_map(|event| [event.started_at, event.ended_at]);
    let last_updated_at = stamps.flatten().chain(deployment.started_at).max().unwrap_or(deployment.created_at);
    Ok(Target {
        deployment_target_type: "ECSTarget",
        ecs_target: EcsTarget {
            deployment_id: deployment.id.clone(),
            target_arn: service.map_or_else(
                || format!("arn:aws:ecs:{REGION}:{ACCOUNT}:service/{}", target_id.replace(':', "/")),
                |service| service.arn(),
            ),
            target_id,
            last_updated_at: context.time(last_updated_at),
            lifecycle_events: deployment.events.iter().map(|event| told(context, event)).collect(),
            status: target_status(deployment),
            task_sets_info: task_sets(state, deployment),
        },
    })
}

fn told(context: &Context<'_>, event: &LifecycleEvent) -> Event {
    Event {
        lifecycle_event_name: event.name,
        diagnostics: event
            .diagnostics
            .as_ref()
            .map(|message| Diagnostics { error_code: "UnknownError", message: message.clone() }),
        start_time: event.started_at.map(|time| context.time(time)),
        end_time: event.ended_at.map(|time| context.time(time)),
        status: event.status.name(),
    }
}

/// Task sets that are gone are not told of.
fn task_sets(state: &State, deployment: &Deployment) -> Vec<TaskSetInfo> {
    let green_weight = f64::from(deployment.green_percent);
    let sides = [
        ("Blue", deployment.blue.as_deref(), 100.0 - green_weight),
        ("Green", deployment.green.as_deref(), green_weight),
    ];
    sides
        .into_iter()
        .filter_map(|(label, id, weight)| Some((label, state.task_set(id?)?, weight)))
        .map(|(label, set, weight)| {
            let count =
                |wanted: fn(TaskStatus) -> bool| state.live_tasks(&set.id).filter(|task| wanted(task.status)).count();
            TaskSetInfo {
                identifer: set.id.clone(),
                desired_count: set.desired,
                pending_count: count(|it| matches!(it, TaskStatus::Provisioning | TaskStatus::Pending)),
                running_count: count(|it| it == TaskStatus::Running),
                status: match set.status {
                    TaskSetStatus::Primary => "PRIMARY",
                    TaskSetStatus::Active => "ACTIVE",
                    TaskSetStatus::Draining => "DRAINING",
                },
                traffic_weight: weight,
                target_group: TargetGroupInfo {
                    name: state.target_group(&set.target_group).map(|group| group.name.clone()).unwrap_or_default(),
                },
                task_set_label: label,
            }
        })
        .collect()
}

fn target_status(deployment: &Deployment) -> &'static str {
    match deployment.status {
        DeploymentStatus::Created => "Pending",
        DeploymentStatus::InProgress => "InProgress",
        DeploymentStatus::Succeeded => "Succeeded",
        DeploymentStatus::Failed | DeploymentStatus::Stopped => "Failed",
    }
}

/// `cluster:service`.
fn target_id(state: &State, deployment: &Deployment) -> String {
    state
        .codedeploy
        .group(&deployment.application, &deployment.group)
        .map(|group| format!("{}:{}", group.cluster, group.service))
        .unwrap_or_default()
}

fn no_target() -> Refusal {
    Refusal::new("DeploymentTargetIdRequiredException", "The deployment target ID is missing")
}

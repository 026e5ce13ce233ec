//! The target of a deployment, which is the service or the function, with its lifecycle events; and the hooks' answers.

use std::collections::BTreeMap;

use greenlight::appspec::{AnyAppSpec, FunctionAppSpec};
use serde::{Deserialize, Serialize};

use super::{deployment, deployment_id, page};
use crate::codedeploy::api;
use crate::wire::context::{Context, Time, required};
use crate::wire::refusal::Refusal;
use crate::world::deployments::{
    Deployment, DeploymentGroup, DeploymentStatus, EventStatus, GroupTarget, LifecycleEvent,
};
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
    #[serde(skip_serializing_if = "Option::is_none")]
    ecs_target: Option<EcsTarget>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lambda_target: Option<LambdaTarget>,
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
struct LambdaTarget {
    deployment_id: String,
    target_id: String,
    target_arn: String,
    status: &'static str,
    last_updated_at: Time,
    lifecycle_events: Vec<Event>,
    lambda_function_info: FunctionInfo,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FunctionInfo {
    function_name: String,
    function_alias: String,
    current_version: String,
    target_version: String,
    target_version_weight: f64,
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
    let stamps = deployment.events.iter().flat_map(|event| [event.started_at, event.ended_at]);
    let last_updated_at = stamps.flatten().chain(deployment.started_at).max().unwrap_or(deployment.created_at);
    if let Some(spec) = function(state, deployment) {
        return Ok(Target {
            deployment_target_type: "LambdaTarget",
            ecs_target: None,
            lambda_target: Some(LambdaTarget {
                deployment_id: deployment.id.clone(),
                target_arn: format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{target_id}"),
                target_id,
                status: target_status(deployment),
                last_updated_at: context.time(last_updated_at),
                lifecycle_events: deployment.events.iter().map(|event| told(context, event)).collect(),
                lambda_function_info: FunctionInfo {
                    function_name: spec.function,
                    function_alias: spec.alias,
                    current_version: spec.current_version,
                    target_version: spec.target_version,
                    target_version_weight: f64::from(deployment.green_percent),
                },
            }),
        });
    }
    let group = state.codedeploy.group(&deployment.application, &deployment.group);
    let target = group.and_then(DeploymentGroup::service);
    let service = target.and_then(|target| state.service(&target.cluster, &target.service));
    Ok(Target {
        deployment_target_type: "ECSTarget",
        lambda_target: None,
        ecs_target: Some(EcsTarget {
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
        }),
    })
}

/// The AppSpec of a deployment of a function.
fn function(state: &State, deployment: &Deployment) -> Option<FunctionAppSpec> {
    let revision = state.codedeploy.revision(&deployment.application, &deployment.revision)?;
    match api::app_spec(revision) {
        AnyAppSpec::Function(spec) => Some(spec),
        AnyAppSpec::Service(_) => None,
    }
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

/// `cluster:service`, or `function:alias`.
fn target_id(state: &State, deployment: &Deployment) -> String {
    let group = state.codedeploy.group(&deployment.application, &deployment.group);
    match group.map(|group| &group.target) {
        Some(GroupTarget::Service(target)) => format!("{}:{}", target.cluster, target.service),
        Some(GroupTarget::Function) => {
            function(state, deployment).map(|spec| format!("{}:{}", spec.function, spec.alias)).unwrap_or_default()
        }
        None => String::new(),
    }
}

fn no_target() -> Refusal {
    Refusal::new("DeploymentTargetIdRequiredException", "The deployment target ID is missing")
}

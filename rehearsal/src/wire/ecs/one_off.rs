//! Tasks that run once, and ending a task.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::tasks::{TaskOut, told};
use super::{Failure, NETWORK, existing_cluster, invalid, short_name};
use crate::wire::context::Context;
use crate::wire::refusal::Refusal;
use crate::world::journal::Who;
use crate::world::services::{OneOff, Override, StopReason, Task, TaskDefinition, TaskStatus};
use crate::world::{State, ZONES};

/// Tasks that one call may start.
const MOST: usize = 10;

/// Characters of a client token.
const LONGEST_TOKEN: usize = 64;

/// What the rehearsal knows of Fargate's platforms and capacity providers.
const PLATFORMS: [&str; 3] = ["LATEST", "1.4.0", "1.3.0"];
const CAPACITY_PROVIDERS: [&str; 2] = ["FARGATE", "FARGATE_SPOT"];

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunTask {
    cluster: Option<String>,
    task_definition: Option<String>,
    count: Option<usize>,
    client_token: Option<String>,
    started_by: Option<String>,
    group: Option<String>,
    launch_type: Option<String>,
    capacity_provider_strategy: Option<Vec<ProviderIn>>,
    platform_version: Option<String>,
    network_configuration: Option<NetworkIn>,
    overrides: Option<OverridesIn>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct ProviderIn {
    capacity_provider: String,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct NetworkIn {
    awsvpc_configuration: Option<VpcIn>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct VpcIn {
    #[serde(default)]
    subnets: Vec<String>,
    #[serde(default)]
    security_groups: Vec<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct OverridesIn {
    #[serde(default)]
    container_overrides: Vec<ContainerOverrideIn>,
}

#[derive(Deserialize, Serialize)]
struct ContainerOverrideIn {
    name: Option<String>,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    environment: Vec<Variable>,
}

#[derive(Deserialize, Serialize)]
struct Variable {
    name: String,
    #[serde(default)]
    value: String,
}

#[derive(Serialize)]
pub(super) struct Ran {
    tasks: Vec<TaskOut>,
    failures: Vec<Failure>,
}

#[derive(Deserialize)]
pub(super) struct StopTask {
    cluster: Option<String>,
    task: Option<String>,
    reason: Option<String>,
}

#[derive(Serialize)]
pub(super) struct StoppedTask {
    task: TaskOut,
}

pub(super) fn run(context: &Context<'_>, input: RunTask) -> Result<Ran, Refusal> {
    let now = context.world.now();
    context.world.update(|state| {
        let cluster = existing_cluster(state, input.cluster.as_deref())?;
        let count = input.count.unwrap_or(1);
        if !(1..=MOST).contains(&count) {
            return Err(invalid("Count must be between 1 and 10."));
        }
        let token = input.client_token.clone();
        let order = serde_json::to_string(&input).expect("it was read from JSON");
        if let Some(token) = &token {
            let fits = token.len() <= LONGEST_TOKEN && token.bytes().all(|byte| (33..=126).contains(&byte));
            if !fits {
                return Err(invalid("ClientToken must be at most 64 characters in the range of 33 to 126."));
            }
            let ids = already_run(state, &cluster, token, &order)?;
            if !ids.is_empty() {
                return Ok(Ran {
                    tasks: ids.iter().map(|id| of_id(context, state, id)).collect(),
                    failures: Vec::new(),
                });
            }
        }
        let definition = runnable(state, input.task_definition.as_deref())?;
        check_placement(&input)?;
        let overrides = overrides(input.overrides.as_ref(), &definition)?;
        let group = input.group.clone().unwrap_or_else(|| format!("family:{}", definition.family));
        let mut ids = Vec::new();
        for number in 0..count {
            let id = Uuid::new_v4().simple().to_string();
            state.tasks.push(Task {
                id: id.clone(),
                cluster: cluster.clone(),
                service: String::new(),
                task_set: String::new(),
                task_definition: definition.arn(),
                status: TaskStatus::Provisioning,
                stop_wanted: None,
                zone: ZONES[number % ZONES.len()],
                port: None,
                created_at: now,
                started_at: None,
                stopped_at: None,
                stopped: None,
                exit_code: None,
                last_lines: Vec::new(),
                one_off: Some(OneOff {
                    started_by: input.started_by.clone(),
                    client_token: token.clone(),
                    order: order.clone(),
                    group: group.clone(),
                    overrides: overrides.clone(),
                }),
            });
            ids.push(id);
        }
        Ok(Ran { tasks: ids.iter().map(|id| of_id(context, state, id)).collect(), failures: Vec::new() })
    })
}

pub(super) fn stop(context: &Context<'_>, input: StopTask) -> Result<StoppedTask, Refusal> {
    let now = context.world.now();
    context.world.update(|state| {
        let cluster = existing_cluster(state, input.cluster.as_deref())?;
        let wanted = input.task.as_deref().map(short_name).unwrap_or_default();
        let found = state.tasks.iter_mut().find(|task| task.cluster == cluster && task.id == wanted);
        let task = found.ok_or_else(|| invalid("The referenced task was not found."))?;
        let id = task.id.clone();
        let reason = input.reason.unwrap_or_else(|| "Task stopped by user".to_owned());
        if task.stop_wanted.is_none() && task.status != TaskStatus::Stopped {
            task.stop_wanted = Some(StopReason { code: "UserInitiated", reason: reason.clone() });
            let text = format!("{} is to stop: {reason}", state.task_name(&id));
            state.journal.say(now, Who::Ecs, text);
        }
        Ok(StoppedTask { task: of_id(context, state, &id) })
    })
}

fn of_id(context: &Context<'_>, state: &State, id: &str) -> TaskOut {
    let task = state.tasks.iter().find(|task| task.id == id).expect("nobody takes a task out of the world");
    told(context, state, task)
}

/// The tasks that this order was carried out with. A token belongs to one order.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html>
fn already_run(state: &State, cluster: &str, token: &str, order: &str) -> Result<Vec<String>, Refusal> {
    let mut ids = Vec::new();
    for task in state.tasks.iter().filter(|task| task.cluster == cluster) {
        let Some(one_off) = task.one_off.as_ref().filter(|it| it.client_token.as_deref() == Some(token)) else {
            continue;
        };
        if one_off.order != order {
            let message = "The provided client token is already in use with a different RunTask request.";
            return Err(Refusal::new("ConflictException", message));
        }
        ids.push(task.id.clone());
    }
    Ok(ids)
}

fn runnable(state: &State, name: Option<&str>) -> Result<TaskDefinition, Refusal> {
    let name = name.filter(|name| !name.is_empty()).ok_or_else(|| invalid("TaskDefinition can not be blank."))?;
    let client = |message: &str| Refusal::new("ClientException", message);
    let definition = state.task_definition(name).ok_or_else(|| client("TaskDefinition not found."))?;
    if definition.active { Ok(definition.clone()) } else { Err(client("TaskDefinition is inactive")) }
}

/// Everything here is Fargate in the one network there is, whose names must be given.
fn check_placement(input: &RunTask) -> Result<(), Refusal> {
    let providers = input.capacity_provider_strategy.as_deref().unwrap_or_default();
    if !providers.is_empty() && input.launch_type.is_some() {
        return Err(invalid(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
        ));
    }
    if let Some(unknown) = providers.iter().find(|it| !CAPACITY_PROVIDERS.contains(&it.capacity_provider.as_str())) {
        return Err(invalid(&format!(
            "The specified capacity provider '{}' was not found.",
            unknown.capacity_provider
        )));
    }
    // The default of the API is EC2, and there is no container instance.
    if providers.is_empty() && input.launch_type.as_deref() != Some("FARGATE") {
        return Err(invalid("No Container Instances were found in your cluster."));
    }
    if input.platform_version.as_deref().is_some_and(|platform| !PLATFORMS.contains(&platform)) {
        return Err(Refusal::new("PlatformUnknownException", "The specified platform does not exist."));
    }
    let network = input.network_configuration.as_ref().and_then(|network| network.awsvpc_configuration.as_ref());
    let Some(network) = network else {
        return Err(invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified."));
    };
    let known = NETWORK.awsvpc_configuration;
    if network.subnets.is_empty() {
        return Err(invalid("subnets can not be empty."));
    }
    if let Some(unknown) = network.subnets.iter().find(|subnet| !known.subnets.contains(&subnet.as_str())) {
        return Err(invalid(&format!(
            "Error retrieving subnet information for [{unknown}]: The subnet ID '{unknown}' does not exist"
        )));
    }
    if let Some(unknown) = network.security_groups.iter().find(|group| !known.security_groups.contains(&group.as_str()))
    {
        return Err(invalid(&format!(
            "Error retrieving security group information for [{unknown}]: The security group '{unknown}' does not exist"
        )));
    }
    Ok(())
}

fn overrides(given: Option<&OverridesIn>, definition: &TaskDefinition) -> Result<Vec<Override>, Refusal> {
    let given = given.map(|overrides| overrides.container_overrides.as_slice()).unwrap_or_default();
    let mut overrides = Vec::new();
    for one in given {
        let name = one.name.clone().unwrap_or_default();
        if !definition.containers.iter().any(|container| container.name == name) {
            return Err(invalid(&format!(
                "Override for container named {name} is not a container in the TaskDefinition."
            )));
        }
        let environment: BTreeMap<String, String> =
            one.environment.iter().map(|variable| (variable.name.clone(), variable.value.clone())).collect();
        overrides.push(Override { container: name, command: one.command.clone(), environment });
    }
    if overrides.len() > 1 {
        // A rehearsed task is one process.
        return Err(Refusal::not_implemented("ecs:RunTask with overrides of several containers"));
    }
    Ok(overrides)
}

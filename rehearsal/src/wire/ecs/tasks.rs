//! Tasks.

use serde::{Deserialize, Serialize};

use super::{Failure, cluster_arn, existing_cluster, invalid, page, short_name};
use crate::wire::context::{Context, Time, short_hash, stable_uuid};
use crate::wire::refusal::Refusal;
use crate::world::load_balancer::Health;
use crate::world::services::{Override, Task, TaskStatus};
use crate::world::{ACCOUNT, REGION, State};

#[derive(Deserialize)]
pub(super) struct DescribeTasks {
    cluster: Option<String>,
    tasks: Option<Vec<String>>,
}

#[derive(Serialize)]
pub(super) struct TaskDescriptions {
    tasks: Vec<TaskOut>,
    failures: Vec<Failure>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TaskOut {
    attachments: Vec<Attachment>,
    availability_zone: &'static str,
    cluster_arn: String,
    connectivity: &'static str,
    containers: Vec<ContainerOut>,
    created_at: Time,
    desired_status: &'static str,
    enable_execute_command: bool,
    group: String,
    health_status: &'static str,
    last_status: &'static str,
    launch_type: &'static str,
    overrides: Overrides,
    platform_version: &'static str,
    platform_family: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_reason: Option<String>,
    tags: Vec<String>,
    task_arn: String,
    task_definition_arn: String,
    version: u32,
}

#[derive(Serialize)]
struct Attachment {
    id: String,
    r#type: &'static str,
    status: &'static str,
    details: Vec<Detail>,
}

#[derive(Serialize)]
struct Detail {
    name: &'static str,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Overrides {
    container_overrides: Vec<ContainerOverride>,
}

#[derive(Serialize)]
struct ContainerOverride {
    name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    command: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    environment: Vec<Variable>,
}

#[derive(Serialize)]
struct Variable {
    name: String,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContainerOut {
    container_arn: String,
    task_arn: String,
    name: String,
    image: String,
    last_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    network_bindings: Vec<Binding>,
    network_interfaces: Vec<Interface>,
    health_status: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Binding {
    #[serde(rename = "bindIP")]
    bind_ip: &'static str,
    container_port: u16,
    host_port: u16,
    protocol: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Interface {
    attachment_id: String,
    private_ipv4_address: &'static str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListTasks {
    cluster: Option<String>,
    container_instance: Option<String>,
    family: Option<String>,
    started_by: Option<String>,
    service_name: Option<String>,
    desired_status: Option<String>,
    launch_type: Option<String>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TaskList {
    task_arns: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

const LOOPBACK: &str = "127.0.0.1";

pub(super) fn describe(context: &Context<'_>, input: DescribeTasks) -> Result<TaskDescriptions, Refusal> {
    let wanted = input.tasks.unwrap_or_default();
    if wanted.is_empty() {
        return Err(invalid("Tasks cannot be empty."));
    }
    if wanted.len() > 100 {
        return Err(invalid("At most 100 tasks can be described"));
    }
    context.world.read(|state| {
        let cluster = existing_cluster(state, input.cluster.as_deref())?;
        let mut answer = TaskDescriptions { tasks: Vec::new(), failures: Vec::new() };
        for wanted in wanted {
            let id = short_name(&wanted);
            match state.tasks.iter().find(|task| task.cluster == cluster && task.id == id) {
                Some(task) => answer.tasks.push(told(context, state, task)),
                None => answer
                    .failures
                    .push(Failure::missing(format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task/{cluster}/{id}"))),
            }
        }
        Ok(answer)
    })
}

/// Running ones unless the client asks for stopped ones; no task ever has the desired status `PENDING`.
pub(super) fn list(context: &Context<'_>, input: ListTasks) -> Result<TaskList, Refusal> {
    let desired = input.desired_status.as_deref().unwrap_or("RUNNING");
    if !["RUNNING", "PENDING", "STOPPED"].contains(&desired) {
        return Err(invalid("desiredStatus must be one of RUNNING, PENDING, STOPPED"));
    }
    if input.started_by.is_some() && (input.family.is_some() || input.service_name.is_some()) {
        return Err(invalid("startedBy must be the only filter that is used"));
    }
    let all = context.world.read(|state| {
        let cluster = existing_cluster(state, input.cluster.as_deref())?;
        let service = input.service_name.as_deref().map(short_name);
        if service.is_some_and(|service| state.service(&cluster, service).is_none()) {
            return Err(Refusal::new("ServiceNotFoundException", "Service not found."));
        }
        let family_of = |task: &Task| state.task_definition(&task.task_definition).map(|it| it.family.as_str());
        Ok(state
            .tasks
            .iter()
            .filter(|it| it.cluster == cluster && desired_status(it) == desired)
            .filter(|it| service.is_none_or(|service| it.service == service))
            .filter(|it| input.family.as_deref().is_none_or(|family| family_of(it) == Some(family)))
            .filter(|it| input.started_by.is_none() || started_by(it) == input.started_by)
            .filter(|_| input.launch_type.as_deref().is_none_or(|it| it == "FARGATE"))
            // Nothing here runs on container instances.
            .filter(|_| input.container_instance.is_none())
            .map(Task::arn)
            .collect())
    })?;
    let (task_arns, next_token) = page(context, all, input.next_token.as_deref(), input.max_results, 100)?;
    Ok(TaskList { task_arns, next_token })
}

pub(super) fn told(context: &Context<'_>, state: &State, task: &Task) -> TaskOut {
    let attachment = stable_uuid(&format!("interface of {}", task.id));
    TaskOut {
        attachments: vec![Attachment {
            id: attachment.clone(),
            r#type: "ElasticNetworkInterface",
            status: if task.status == TaskStatus::Stopped { "DELETED" } else { "ATTACHED" },
            details: vec![Detail { name: "privateIPv4Address", value: LOOPBACK.to_owned() }],
        }],
        availability_zone: task.zone,
        cluster_arn: cluster_arn(&task.cluster),
        connectivity: "CONNECTED",
        containers: containers(state, task, &attachment),
        created_at: context.time(task.created_at),
        desired_status: desired_status(task),
        enable_execute_command: false,
        group: match &task.one_off {
            Some(one_off) => one_off.group.clone(),
            None => format!("service:{}", task.service),
        },
        health_status: "UNKNOWN",
        last_status: last_status(state, task),
        launch_type: "FARGATE",
        overrides: Overrides {
            container_overrides: task.one_off.iter().flat_map(|one_off| &one_off.overrides).map(told_again).collect(),
        },
        platform_version: "1.4.0",
        platform_family: "Linux",
        started_at: task.started_at.map(|time| context.time(time)),
        started_by: started_by(task),
        stop_code: task.stopped.as_ref().or(task.stop_wanted.as_ref()).map(|it| it.code),
        stopped_at: task.stopped_at.map(|time| context.time(time)),
        stopped_reason: task.stopped.as_ref().or(task.stop_wanted.as_ref()).map(|it| it.reason.clone()),
        tags: Vec::new(),
        task_arn: task.arn(),
        task_definition_arn: task.task_definition.clone(),
        version: 1,
    }
}

/// The task set, or whoever ordered it.
fn started_by(task: &Task) -> Option<String> {
    task.one_off.as_ref().map_or_else(|| Some(task.task_set.clone()), |one_off| one_off.started_by.clone())
}

fn told_again(given: &Override) -> ContainerOverride {
    let variable = |(name, value): (&String, &String)| Variable { name: name.clone(), value: value.clone() };
    ContainerOverride {
        name: given.container.clone(),
        command: given.command.clone(),
        environment: given.environment.iter().map(variable).collect(),
    }
}

/// A task is one process, that of the container which the load balancer talks to, or whose command was ordered: only that
/// one has a port and an exit code.
fn containers(state: &State, task: &Task, attachment: &str) -> Vec<ContainerOut> {
    let Some(definition) = state.task_definition(&task.task_definition) else { return Vec::new() };
    let serving = state.container_of(task).map(|container| container.name.as_str());
    definition
        .containers
        .iter()
        .map(|container| {
            let serves = serving == Some(container.name.as_str());
            let binding =
                |port| Binding { bind_ip: LOOPBACK, container_port: container.port, host_port: port, protocol: "tcp" };
            ContainerOut {
                container_arn: format!(
                    "arn:aws:ecs:{REGION}:{ACCOUNT}:container/{}/{}/{}",
                    task.cluster,
                    task.id,
                    stable_uuid(&short_hash(&format!("{} of {}", container.name, task.id), 16))
                ),
                task_arn: task.arn(),
                name: container.name.clone(),
                image: container.image.clone(),
                last_status: match task.status {
                    TaskStatus::Provisioning | TaskStatus::Pending => "PENDING",
                    TaskStatus::Running | TaskStatus::Stopping => "RUNNING",
                    TaskStatus::Stopped => "STOPPED",
                },
                exit_code: task.exit_code.filter(|_| serves),
                reason: None,
                network_bindings: task.port.filter(|_| serves).map(binding).into_iter().collect(),
                network_interfaces: vec![Interface {
                    attachment_id: attachment.to_owned(),
                    private_ipv4_address: LOOPBACK,
                }],
                health_status: "UNKNOWN",
            }
        })
        .collect()
}

fn desired_status(task: &Task) -> &'static str {
    let ends = task.stop_wanted.is_some() || matches!(task.status, TaskStatus::Stopping | TaskStatus::Stopped);
    if ends { "STOPPED" } else { "RUNNING" }
}

/// A task that is told to stop is deactivating while its target drains, then stopping.
fn last_status(state: &State, task: &Task) -> &'static str {
    match task.status {
        TaskStatus::Provisioning => "PROVISIONING",
        TaskStatus::Pending => "PENDING",
        TaskStatus::Running => "RUNNING",
        TaskStatus::Stopping => {
            let mut targets = state.target_groups.iter().flat_map(|group| &group.targets);
            let drains = targets.any(|target| target.task == task.id && target.health == Health::Draining);
            if drains { "DEACTIVATING" } else { "STOPPING" }
        }
        TaskStatus::Stopped => "STOPPED",
    }
}

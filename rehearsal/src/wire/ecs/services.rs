//! Services and their task sets.

use serde::{Deserialize, Serialize};

use super::{Failure, NETWORK, NetworkConfiguration, cluster_arn, existing_cluster, invalid, page, short_name};
use crate::wire::context::{Context, Time};
use crate::wire::refusal::Refusal;
use crate::world::services::{Service, TaskSet, TaskSetStatus, TaskStatus};
use crate::world::{ACCOUNT, REGION, State};

#[derive(Deserialize)]
pub(super) struct DescribeServices {
    cluster: Option<String>,
    services: Option<Vec<String>>,
}

#[derive(Serialize)]
pub(super) struct ServiceDescriptions {
    services: Vec<ServiceOut>,
    failures: Vec<Failure>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceOut {
    service_arn: String,
    service_name: String,
    cluster_arn: String,
    load_balancers: Vec<LoadBalancer>,
    service_registries: Vec<String>,
    status: &'static str,
    desired_count: u32,
    running_count: usize,
    pending_count: usize,
    launch_type: &'static str,
    platform_version: &'static str,
    platform_family: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_definition: Option<String>,
    deployment_configuration: DeploymentConfiguration,
    task_sets: Vec<TaskSetOut>,
    deployments: Vec<String>,
    role_arn: String,
    events: Vec<String>,
    created_at: Time,
    placement_constraints: Vec<String>,
    placement_strategy: Vec<String>,
    network_configuration: NetworkConfiguration,
    health_check_grace_period_seconds: u64,
    scheduling_strategy: &'static str,
    deployment_controller: Controller,
    created_by: String,
    #[serde(rename = "enableECSManagedTags")]
    enable_ecs_managed_tags: bool,
    propagate_tags: &'static str,
    enable_execute_command: bool,
    availability_zone_rebalancing: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LoadBalancer {
    target_group_arn: String,
    container_name: String,
    container_port: u16,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeploymentConfiguration {
    maximum_percent: u32,
    minimum_healthy_percent: u32,
}

#[derive(Serialize)]
struct Controller {
    r#type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TaskSetOut {
    id: String,
    task_set_arn: String,
    service_arn: String,
    cluster_arn: String,
    started_by: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    status: &'static str,
    task_definition: String,
    computed_desired_count: u32,
    pending_count: usize,
    running_count: usize,
    created_at: Time,
    updated_at: Time,
    launch_type: &'static str,
    platform_version: &'static str,
    platform_family: &'static str,
    network_configuration: NetworkConfiguration,
    load_balancers: Vec<LoadBalancer>,
    service_registries: Vec<String>,
    scale: Scale,
    stability_status: &'static str,
    stability_status_at: Time,
    tags: Vec<String>,
}

#[derive(Serialize)]
struct Scale {
    value: f64,
    unit: &'static str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeTaskSets {
    cluster: Option<String>,
    service: Option<String>,
    task_sets: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TaskSetDescriptions {
    task_sets: Vec<TaskSetOut>,
    failures: Vec<Failure>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListServices {
    cluster: Option<String>,
    next_token: Option<String>,
    max_results: Option<usize>,
    launch_type: Option<String>,
    scheduling_strategy: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceList {
    service_arns: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub(super) fn describe(context: &Context<'_>, input: DescribeServices) -> Result<ServiceDescriptions, Refusal> {
    let wanted = input.services.unwrap_or_default();
    if wanted.is_empty() {
        return Err(invalid("Services cannot be empty."));
    }
    if wanted.len() > 10 {
        return Err(invalid("At most 10 services can be described"));
    }
    context.world.read(|state| {
        let cluster = existing_cluster(state, input.cluster.as_deref())?;
        let mut answer = ServiceDescriptions { services: Vec::new(), failures: Vec::new() };
        for wanted in wanted {
            let name = short_name(&wanted);
            match state.service(&cluster, name) {
                Some(service) => answer.services.push(told(context, state, service)),
                None => answer
                    .failures
                    .push(Failure::missing(format!("arn:aws:ecs:{REGION}:{ACCOUNT}:service/{cluster}/{name}"))),
            }
        }
        Ok(answer)
    })
}

pub(super) fn describe_task_sets(
    context: &Context<'_>,
    input: DescribeTaskSets,
) -> Result<TaskSetDescriptions, Refusal> {
    if input.cluster.is_none() || input.service.is_none() {
        return Err(invalid("cluster and service cannot be empty."));
    }
    context.world.read(|state| {
        let cluster = existing_cluster(state, input.cluster.as_deref())?;
        let name = input.service.as_deref().map(short_name).unwrap_or_default();
        let service = state
            .service(&cluster, name)
            .ok_or_else(|| Refusal::new("ServiceNotFoundException", "Service not found."))?;
        let Some(wanted) = input.task_sets.filter(|it| !it.is_empty()) else {
            let task_sets = service.task_sets.iter().map(|set| task_set(context, state, service, set)).collect();
            return Ok(TaskSetDescriptions { task_sets, failures: Vec::new() });
        };
        let mut answer = TaskSetDescriptions { task_sets: Vec::new(), failures: Vec::new() };
        for wanted in wanted {
            let found = service.task_sets.iter().find(|set| set.id == wanted || task_set_arn(service, set) == wanted);
            match found {
                Some(set) => answer.task_sets.push(task_set(context, state, service, set)),
                None => answer.failures.push(Failure::missing(wanted)),
            }
        }
        Ok(answer)
    })
}

/// Pages of ten unless the client wants more.
pub(super) fn list(context: &Context<'_>, input: ListServices) -> Result<ServiceList, Refusal> {
    let all = context.world.read(|state| {
        let cluster = existing_cluster(state, input.cluster.as_deref())?;
        let of_cluster = state.services.iter().filter(|service| service.cluster == cluster);
        Ok::<_, Refusal>(
            of_cluster
                .filter(|_| input.launch_type.as_deref().is_none_or(|it| it == "FARGATE"))
                .filter(|_| input.scheduling_strategy.as_deref().is_none_or(|it| it == "REPLICA"))
                .map(Service::arn)
                .collect(),
        )
    })?;
    let (service_arns, next_token) = page(context, all, input.next_token.as_deref(), input.max_results, 10)?;
    Ok(ServiceList { service_arns, next_token })
}

fn told(context: &Context<'_>, state: &State, service: &Service) -> ServiceOut {
    let primary = service.primary();
    let count = |wanted: fn(TaskStatus) -> bool| {
        let tasks = state.tasks.iter().filter(|it| it.cluster == service.cluster && it.service == service.name);
        tasks.filter(|it| wanted(it.status)).count()
    };
    ServiceOut {
        service_arn: service.arn(),
        service_name: service.name.clone(),
        cluster_arn: cluster_arn(&service.cluster),
        load_balancers: primary.map(|set| vec![load_balancer(service, set)]).unwrap_or_default(),
        service_registries: Vec::new(),
        status: "ACTIVE",
        desired_count: service.desired_count,
        running_count: count(|it| it == TaskStatus::Running),
        pending_count: count(is_pending),
        launch_type: "FARGATE",
        platform_version: "1.4.0",
        platform_family: "Linux",
        task_definition: primary.map(|set| set.task_definition.clone()),
        deployment_configuration: DeploymentConfiguration { maximum_percent: 200, minimum_healthy_percent: 100 },
        task_sets: service.task_sets.iter().map(|set| task_set(context, state, service, set)).collect(),
        deployments: Vec::new(),
        role_arn: format!("arn:aws:iam::{ACCOUNT}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"),
        events: Vec::new(),
        created_at: context.time(service.created_at),
        placement_constraints: Vec::new(),
        placement_strategy: Vec::new(),
        network_configuration: NETWORK,
        health_check_grace_period_seconds: service.health_check_grace_period.as_secs(),
        scheduling_strategy: "REPLICA",
        deployment_controller: Controller { r#type: "CODE_DEPLOY" },
        created_by: format!("arn:aws:iam::{ACCOUNT}:user/rehearsal"),
        enable_ecs_managed_tags: false,
        propagate_tags: "NONE",
        enable_execute_command: false,
        availability_zone_rebalancing: "DISABLED",
    }
}

fn task_set(context: &Context<'_>, state: &State, service: &Service, set: &TaskSet) -> TaskSetOut {
    let count = |wanted: fn(TaskStatus) -> bool| state.live_tasks(&set.id).filter(|it| wanted(it.status)).count();
    TaskSetOut {
        id: set.id.clone(),
        task_set_arn: task_set_arn(service, set),
        service_arn: service.arn(),
        cluster_arn: cluster_arn(&service.cluster),
        started_by: "CODE_DEPLOY",
        external_id: set.external_id.clone(),
        status: match set.status {
            TaskSetStatus::Primary => "PRIMARY",
            TaskSetStatus::Active => "ACTIVE",
            TaskSetStatus::Draining => "DRAINING",
        },
        task_definition: set.task_definition.clone(),
        computed_desired_count: set.desired,
        pending_count: count(is_pending),
        running_count: count(|it| it == TaskStatus::Running),
        created_at: context.time(set.created_at),
        updated_at: context.time(set.stability_at),
        launch_type: "FARGATE",
        platform_version: "1.4.0",
        platform_family: "Linux",
        network_configuration: NETWORK,
        load_balancers: vec![load_balancer(service, set)],
        service_registries: Vec::new(),
        scale: Scale { value: if set.desired == 0 { 0.0 } else { 100.0 }, unit: "PERCENT" },
        stability_status: if set.steady { "STEADY_STATE" } else { "STABILIZING" },
        stability_status_at: context.time(set.stability_at),
        tags: Vec::new(),
    }
}

fn is_pending(status: TaskStatus) -> bool {
    matches!(status, TaskStatus::Provisioning | TaskStatus::Pending)
}

fn load_balancer(service: &Service, set: &TaskSet) -> LoadBalancer {
    LoadBalancer {
        target_group_arn: set.target_group.clone(),
        container_name: service.container_name.clone(),
        container_port: service.container_port,
    }
}

fn task_set_arn(service: &Service, set: &TaskSet) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task-set/{}/{}/{}", service.cluster, service.name, set.id)
}

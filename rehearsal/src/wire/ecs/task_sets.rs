//! Task sets: versions of a service whose deployments CodeDeploy carries out.

use serde::{Deserialize, Serialize};

use super::services::{LoadBalancer, is_pending};
use super::{Failure, NETWORK, NetworkConfiguration, cluster_arn, existing_cluster, invalid, short_name};
use crate::wire::context::{Context, Time};
use crate::wire::refusal::Refusal;
use crate::world::deployment_configuration::Controller;
use crate::world::services::{Service, TaskSet, TaskSetStatus, TaskStatus};
use crate::world::{ACCOUNT, REGION, State};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TaskSetOut {
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

pub(super) fn describe(context: &Context<'_>, input: DescribeTaskSets) -> Result<TaskSetDescriptions, Refusal> {
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
            return Ok(TaskSetDescriptions { task_sets: of(context, state, service), failures: Vec::new() });
        };
        let mut answer = TaskSetDescriptions { task_sets: Vec::new(), failures: Vec::new() };
        for wanted in wanted {
            let found = sets(service).iter().find(|set| set.id == wanted || task_set_arn(service, set) == wanted);
            match found {
                Some(set) => answer.task_sets.push(told(context, state, service, set)),
                None => answer.failures.push(Failure::missing(wanted)),
            }
        }
        Ok(answer)
    })
}

/// Those of a service.
pub(super) fn of(context: &Context<'_>, state: &State, service: &Service) -> Vec<TaskSetOut> {
    sets(service).iter().map(|set| told(context, state, service, set)).collect()
}

/// A service whose deployments ECS carries out has none that a client is told of.
fn sets(service: &Service) -> &[TaskSet] {
    match service.controller {
        Controller::CodeDeploy => &service.task_sets,
        Controller::Ecs(_) => &[],
    }
}

fn told(context: &Context<'_>, state: &State, service: &Service, set: &TaskSet) -> TaskSetOut {
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
        load_balancers: vec![LoadBalancer::of_group(service, set.target_group.clone())],
        service_registries: Vec::new(),
        scale: Scale { value: if set.desired == 0 { 0.0 } else { 100.0 }, unit: "PERCENT" },
        stability_status: if set.steady { "STEADY_STATE" } else { "STABILIZING" },
        stability_status_at: context.time(set.stability_at),
        tags: Vec::new(),
    }
}

fn task_set_arn(service: &Service, set: &TaskSet) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task-set/{}/{}/{}", service.cluster, service.name, set.id)
}

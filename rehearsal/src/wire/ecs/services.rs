//! Services.

use serde::{Deserialize, Serialize};

use super::deployment_configuration::DeploymentConfiguration;
use super::deployments::{self, CurrentRevision, DeploymentOut};
use super::task_sets::{self, TaskSetOut};
use super::{Failure, NETWORK, NetworkConfiguration, cluster_arn, existing_cluster, invalid, page, short_name};
use crate::ecs::api;
use crate::wire::context::{Context, Time};
use crate::wire::refusal::Refusal;
use crate::world::deployment_configuration::NativeService;
use crate::world::services::{Service, TaskStatus};
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
pub(super) struct ServiceOut {
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
    deployments: Vec<DeploymentOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_service_deployment: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    current_service_revisions: Vec<CurrentRevision>,
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

/// One of `loadBalancers`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LoadBalancer {
    target_group_arn: String,
    container_name: String,
    container_port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    advanced_configuration: Option<AdvancedConfiguration>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AdvancedConfiguration {
    alternate_target_group_arn: String,
    production_listener_rule: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    test_listener_rule: Option<String>,
    role_arn: String,
}

#[derive(Serialize)]
struct Controller {
    r#type: &'static str,
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

pub(super) fn told(context: &Context<'_>, state: &State, service: &Service) -> ServiceOut {
    let primary = service.primary();
    let native = service.controller.native();
    let count = |wanted: fn(TaskStatus) -> bool| {
        let tasks = state.tasks.iter().filter(|it| it.cluster == service.cluster && it.service == service.name);
        tasks.filter(|it| wanted(it.status)).count()
    };
    ServiceOut {
        service_arn: service.arn(),
        service_name: service.name.clone(),
        cluster_arn: cluster_arn(&service.cluster),
        load_balancers: match native {
            Some(native) => vec![LoadBalancer::of_service(service, native)],
            None => primary.map(|set| LoadBalancer::of_group(service, set.target_group.clone())).into_iter().collect(),
        },
        service_registries: Vec::new(),
        status: "ACTIVE",
        desired_count: service.desired_count,
        running_count: count(|it| it == TaskStatus::Running),
        pending_count: count(is_pending),
        launch_type: "FARGATE",
        platform_version: "1.4.0",
        platform_family: "Linux",
        task_definition: match native {
            Some(_) => api::configured_task_definition(state, service),
            None => primary.map(|set| set.task_definition.clone()),
        },
        deployment_configuration: DeploymentConfiguration::of(native.map(|native| &native.configuration)),
        task_sets: task_sets::of(context, state, service),
        deployments: deployments::of(context, state, service),
        current_service_deployment: deployments::current(state, service),
        current_service_revisions: deployments::current_revisions(state, service),
        role_arn: format!("arn:aws:iam::{ACCOUNT}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"),
        events: Vec::new(),
        created_at: context.time(service.created_at),
        placement_constraints: Vec::new(),
        placement_strategy: Vec::new(),
        network_configuration: NETWORK,
        health_check_grace_period_seconds: service.health_check_grace_period.as_secs(),
        scheduling_strategy: "REPLICA",
        deployment_controller: Controller { r#type: if native.is_some() { "ECS" } else { "CODE_DEPLOY" } },
        created_by: format!("arn:aws:iam::{ACCOUNT}:user/rehearsal"),
        enable_ecs_managed_tags: false,
        propagate_tags: "NONE",
        enable_execute_command: false,
        availability_zone_rebalancing: "DISABLED",
    }
}

pub(super) fn is_pending(status: TaskStatus) -> bool {
    matches!(status, TaskStatus::Provisioning | TaskStatus::Pending)
}

impl LoadBalancer {
    /// As a task set has it.
    pub(super) fn of_group(service: &Service, target_group_arn: String) -> Self {
        Self {
            target_group_arn,
            container_name: service.container_name.clone(),
            container_port: service.container_port,
            advanced_configuration: None,
        }
    }

    /// As a service has it whose deployments ECS carries out: whoever uses which target group now.
    pub(super) fn of_service(service: &Service, native: &NativeService) -> Self {
        let advanced = AdvancedConfiguration {
            alternate_target_group_arn: native.alternate_target_group.clone(),
            production_listener_rule: native.production_rule.clone(),
            test_listener_rule: native.test_rule.clone(),
            role_arn: format!("arn:aws:iam::{ACCOUNT}:role/{}-load-balancer", service.name),
        };
        Self { advanced_configuration: Some(advanced), ..Self::of_group(service, native.target_group.clone()) }
    }
}

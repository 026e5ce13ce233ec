//! ECS: clusters, services with either deployment controller, task sets, service deployments and revisions, tasks, task
//! definitions.

use serde::{Deserialize, Serialize};

use super::context::{Context, Operation};
use super::refusal::Refusal;
use crate::world::deployment_configuration::DeploymentConfiguration as KnownConfiguration;
use crate::world::services::TaskStatus;
use crate::world::{ACCOUNT, REGION, State};

mod deployment_configuration;
mod deployments;
mod one_off;
mod service_deployments;
mod service_revisions;
mod services;
mod task_definitions;
mod task_sets;
mod tasks;
mod update;

use deployment_configuration::DeploymentConfiguration;

/// `deploymentConfiguration` as a client is told it.
pub fn told_deployment_configuration(known: &KnownConfiguration) -> serde_json::Value {
    serde_json::to_value(DeploymentConfiguration::of(Some(known))).expect("plain data with text keys")
}

/// What is implemented.
pub(super) const OPERATIONS: &[(&str, Operation)] = &[
    ("ContinueServiceDeployment", |context, input| context.run(input, service_deployments::decide)),
    ("DeregisterTaskDefinition", |context, input| context.run(input, task_definitions::deregister)),
    ("DescribeClusters", |context, input| context.run(input, describe_clusters)),
    ("DescribeServiceDeployments", |context, input| context.run(input, service_deployments::describe)),
    ("DescribeServiceRevisions", |context, input| context.run(input, service_revisions::describe)),
    ("DescribeServices", |context, input| context.run(input, services::describe)),
    ("DescribeTaskDefinition", |context, input| context.run(input, task_definitions::describe)),
    ("DescribeTaskSets", |context, input| context.run(input, task_sets::describe)),
    ("DescribeTasks", |context, input| context.run(input, tasks::describe)),
    ("ListClusters", |context, input| context.run(input, list_clusters)),
    ("ListServiceDeployments", |context, input| context.run(input, service_deployments::list)),
    ("ListServices", |context, input| context.run(input, services::list)),
    ("ListTaskDefinitions", |context, input| context.run(input, task_definitions::list)),
    ("ListTasks", |context, input| context.run(input, tasks::list)),
    ("RegisterTaskDefinition", |context, input| context.run(input, task_definitions::register)),
    ("RunTask", |context, input| context.run(input, one_off::run)),
    ("StopServiceDeployment", |context, input| context.run(input, service_deployments::stop)),
    ("StopTask", |context, input| context.run(input, one_off::stop)),
    ("UpdateService", |context, input| context.run(input, update::update)),
];

#[derive(Serialize)]
struct Failure {
    arn: String,
    reason: &'static str,
}

impl Failure {
    fn missing(arn: String) -> Self {
        Self { arn, reason: "MISSING" }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NetworkConfiguration {
    awsvpc_configuration: AwsvpcConfiguration,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AwsvpcConfiguration {
    subnets: [&'static str; 2],
    security_groups: [&'static str; 1],
    assign_public_ip: &'static str,
}

/// Of every service here: names only, there is no VPC.
const NETWORK: NetworkConfiguration = NetworkConfiguration {
    awsvpc_configuration: AwsvpcConfiguration {
        subnets: ["subnet-0000000000000000a", "subnet-0000000000000000b"],
        security_groups: ["sg-00000000000000000"],
        assign_public_ip: "DISABLED",
    },
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribeClusters {
    clusters: Option<Vec<String>>,
}

#[derive(Serialize)]
struct ClusterDescriptions {
    clusters: Vec<Cluster>,
    failures: Vec<Failure>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cluster {
    cluster_arn: String,
    cluster_name: String,
    status: &'static str,
    registered_container_instances_count: u32,
    running_tasks_count: usize,
    pending_tasks_count: usize,
    active_services_count: usize,
    statistics: Vec<String>,
    tags: Vec<String>,
    settings: Vec<String>,
    capacity_providers: Vec<String>,
    default_capacity_provider_strategy: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListClusters {
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClusterList {
    cluster_arns: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

fn describe_clusters(context: &Context<'_>, input: DescribeClusters) -> Result<ClusterDescriptions, Refusal> {
    let wanted = input.clusters.filter(|it| !it.is_empty()).unwrap_or_else(|| vec!["default".to_owned()]);
    if wanted.len() > 100 {
        return Err(invalid("At most 100 clusters can be described"));
    }
    context.world.read(|state| {
        let known = clusters(state);
        let mut answer = ClusterDescriptions { clusters: Vec::new(), failures: Vec::new() };
        for wanted in wanted {
            let name = short_name(&wanted);
            if known.contains(&name) {
                answer.clusters.push(cluster(state, name));
            } else {
                answer.failures.push(Failure::missing(cluster_arn(name)));
            }
        }
        Ok(answer)
    })
}

fn cluster(state: &State, name: &str) -> Cluster {
    let count = |wanted: fn(TaskStatus) -> bool| {
        state.tasks.iter().filter(|task| task.cluster == name && wanted(task.status)).count()
    };
    Cluster {
        cluster_arn: cluster_arn(name),
        cluster_name: name.to_owned(),
        status: "ACTIVE",
        registered_container_instances_count: 0,
        running_tasks_count: count(|it| it == TaskStatus::Running),
        pending_tasks_count: count(|it| matches!(it, TaskStatus::Provisioning | TaskStatus::Pending)),
        active_services_count: state.services.iter().filter(|service| service.cluster == name).count(),
        statistics: Vec::new(),
        tags: Vec::new(),
        settings: Vec::new(),
        capacity_providers: Vec::new(),
        default_capacity_provider_strategy: Vec::new(),
    }
}

fn list_clusters(context: &Context<'_>, input: ListClusters) -> Result<ClusterList, Refusal> {
    let all = context.world.read(|state| clusters(state).into_iter().map(cluster_arn).collect());
    let (cluster_arns, next_token) = page(context, all, input.next_token.as_deref(), input.max_results, 100)?;
    Ok(ClusterList { cluster_arns, next_token })
}

/// A cluster is where a service is.
fn clusters(state: &State) -> Vec<&str> {
    let mut names: Vec<&str> = state.services.iter().map(|service| service.cluster.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The cluster that a client means, by name or ARN; `default` when it says none.
fn existing_cluster(state: &State, cluster: Option<&str>) -> Result<String, Refusal> {
    let name = short_name(cluster.filter(|it| !it.is_empty()).unwrap_or("default"));
    if clusters(state).contains(&name) {
        Ok(name.to_owned())
    } else {
        Err(Refusal::new("ClusterNotFoundException", "Cluster not found."))
    }
}

fn cluster_arn(name: &str) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{name}")
}

/// The name at the end of an ARN, or the name itself.
fn short_name(name_or_arn: &str) -> &str {
    if name_or_arn.starts_with("arn:") { name_or_arn.rsplit('/').next().unwrap_or(name_or_arn) } else { name_or_arn }
}

fn page<T>(
    context: &Context<'_>,
    items: Vec<T>,
    token: Option<&str>,
    wanted: Option<usize>,
    most: usize,
) -> Result<(Vec<T>, Option<String>), Refusal> {
    if wanted.is_some_and(|wanted| wanted == 0 || wanted > 100) {
        return Err(invalid("maxResults should be between 1 and 100"));
    }
    context.page(items, token, Some(wanted.unwrap_or(most)), 100).ok_or_else(|| invalid("Invalid token"))
}

fn invalid(message: &str) -> Refusal {
    Refusal::new("InvalidParameterException", message)
}

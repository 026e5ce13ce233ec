//! ECS: the service, its task sets, task definitions and tasks.

use async_trait::async_trait;
use aws_sdk_ecs::types as sdk;
use futures::future::try_join_all;

use super::Aws;
use super::failure::{Kind, explain, incomplete, kind};
use crate::check::CannotTell;
use crate::deployment::{Service, TaskSet};
use crate::discovery::Candidate;
use crate::ports::{Container, ContainerLog, Task, TaskDefinition, Tasks};

/// Tasks that one call may ask for.
const AT_ONCE: usize = 100;

impl Aws {
    /// The service and its task sets.
    pub(super) async fn service(&self, cluster: &str, service: &str) -> Result<(Service, Vec<Candidate>), CannotTell> {
        self.services.or_ask(&format!("{cluster}/{service}"), self.ask_service(cluster, service)).await
    }

    async fn ask_service(&self, cluster: &str, service: &str) -> Result<(Service, Vec<Candidate>), CannotTell> {
        const ACTION: &str = "ecs:DescribeServices";
        let name = format!("{cluster}/{service}");
        let call = self.ecs().describe_services().cluster(cluster).services(service);
        let answer = call.send().await.map_err(|error| explain(ACTION, &name, &error))?;
        let found = answer.services.unwrap_or_default().into_iter().next();
        let found = found.ok_or_else(|| incomplete(ACTION, &name, "service of this name"))?;
        let candidates = match found.task_sets() {
            [] => found.deployments().iter().map(of_deployment).collect(),
            sets => sets.iter().map(candidate).collect(),
        };
        let service = Service {
            cluster: cluster.to_owned(),
            name: service.to_owned(),
            desired_count: count(found.desired_count),
            health_check_grace_seconds: count(found.health_check_grace_period_seconds.unwrap_or_default()),
        };
        Ok((service, candidates))
    }

    /// ARNs of the tasks with this desired status that match: those that the task set started, or, where ECS names
    /// none, those of the family.
    async fn task_arns(
        &self,
        cluster: &str,
        filter: &Filter<'_>,
        desired: sdk::DesiredStatus,
    ) -> Result<Vec<String>, CannotTell> {
        let mut arns = Vec::new();
        let mut token = None;
        loop {
            let call = self.ecs().list_tasks().cluster(cluster).desired_status(desired.clone()).set_next_token(token);
            let call = match filter {
                Filter::StartedBy(task_set) => call.started_by(*task_set),
                Filter::Family(family) => call.family(*family),
            };
            let page = call.send().await.map_err(|error| explain("ecs:ListTasks", cluster, &error))?;
            arns.extend(page.task_arns.unwrap_or_default());
            token = page.next_token;
            if token.is_none() {
                return Ok(arns);
            }
        }
    }

    /// All that match: running, and recently stopped.
    pub(super) async fn all_tasks(&self, cluster: &str, filter: Filter<'_>) -> Result<Vec<Task>, CannotTell> {
        let (running, stopped) = tokio::try_join!(
            self.task_arns(cluster, &filter, sdk::DesiredStatus::Running),
            self.task_arns(cluster, &filter, sdk::DesiredStatus::Stopped),
        )?;
        let mut arns = running;
        arns.extend(stopped);
        arns.sort();
        arns.dedup();
        let batches = try_join_all(arns.chunks(AT_ONCE).map(|arns| async move {
            let call = self.ecs().describe_tasks().cluster(cluster).set_tasks(Some(arns.to_vec()));
            let answer = call.send().await.map_err(|error| explain("ecs:DescribeTasks", cluster, &error))?;
            Ok::<_, CannotTell>(answer.tasks.unwrap_or_default())
        }))
        .await?;
        Ok(batches.into_iter().flatten().map(task).collect())
    }
}

/// How tasks are found. ECS allows one of them in a call.
pub(super) enum Filter<'a> {
    /// By task set, or by the mark of whoever started them.
    StartedBy(&'a str),
    /// By family of the task definition.
    Family(&'a str),
}

#[async_trait]
impl Tasks for Aws {
    async fn task_definition(&self, arn: &str) -> Result<Option<TaskDefinition>, CannotTell> {
        self.task_definitions.or_ask(arn, self.ask_task_definition(arn)).await
    }

    async fn task_sets(&self, cluster: &str, service: &str) -> Result<Vec<TaskSet>, CannotTell> {
        let (_, candidates) = self.service(cluster, service).await?;
        Ok(candidates.into_iter().map(|candidate| candidate.task_set).collect())
    }

    async fn tasks(&self, cluster: &str, task_set: &TaskSet) -> Result<Vec<Task>, CannotTell> {
        self.tasks.or_ask(&format!("{cluster}/{}", task_set.id), self.ask_tasks(cluster, task_set)).await
    }
}

impl Aws {
    async fn ask_task_definition(&self, arn: &str) -> Result<Option<TaskDefinition>, CannotTell> {
        const ACTION: &str = "ecs:DescribeTaskDefinition";
        match self.ecs().describe_task_definition().task_definition(arn).send().await {
            Ok(answer) => Ok(Some(task_definition(
                arn,
                answer.task_definition.ok_or_else(|| incomplete(ACTION, arn, "task definition"))?,
            ))),
            Err(error) if kind(&error) == Kind::Refused && is_absent(&error) => Ok(None),
            Err(error) => Err(explain(ACTION, arn, &error)),
        }
    }

    /// ECS writes the task set's id into `startedBy` of the tasks it starts for it.
    async fn ask_tasks(&self, cluster: &str, task_set: &TaskSet) -> Result<Vec<Task>, CannotTell> {
        let started = match task_set.id.as_str() {
            "" => Vec::new(),
            id => self.all_tasks(cluster, Filter::StartedBy(id)).await?,
        };
        if !started.is_empty() {
            return Ok(started);
        }
        let family = task_set.version().split(':').next().unwrap_or_default();
        let of_family = self.all_tasks(cluster, Filter::Family(family)).await?;
        Ok(of_family.into_iter().filter(|task| task.task_definition == task_set.task_definition).collect())
    }
}

/// ECS says of a task definition that is not there: `ClientException`, *Unable to describe task definition*.
fn is_absent<E>(
    error: &aws_smithy_runtime_api::client::result::SdkError<
        E,
        aws_smithy_runtime_api::client::orchestrator::HttpResponse,
    >,
) -> bool
where
    E: aws_smithy_types::error::metadata::ProvideErrorMetadata,
{
    use aws_smithy_types::error::metadata::ProvideErrorMetadata;
    error.code() == Some("ClientException")
}

fn candidate(found: &sdk::TaskSet) -> Candidate {
    let target_group = found.load_balancers().first().and_then(|balancer| balancer.target_group_arn.clone());
    Candidate {
        external_id: found.external_id.clone(),
        task_set: TaskSet {
            id: found.id.clone().unwrap_or_default(),
            task_definition: found.task_definition.clone().unwrap_or_default(),
            status: found.status.clone().unwrap_or_default(),
            steady: found.stability_status == Some(sdk::StabilityStatus::SteadyState),
            desired: count(found.computed_desired_count),
            pending: count(found.pending_count),
            running: count(found.running_count),
            failed: None,
            traffic_percent: None,
            target_group_arn: target_group.unwrap_or_default(),
        },
    }
}

/// A service that ECS deploys has no task sets but `deployments`, of which the primary is the newest. It is steady when as
/// many tasks run as it wants: its rollout is completed only when the whole deployment is.
fn of_deployment(found: &sdk::Deployment) -> Candidate {
    let (desired, pending, running) = (found.desired_count, found.pending_count, found.running_count);
    Candidate {
        external_id: None,
        task_set: TaskSet {
            id: found.id.clone().unwrap_or_default(),
            task_definition: found.task_definition.clone().unwrap_or_default(),
            status: found.status.clone().unwrap_or_default(),
            steady: running >= desired && pending == 0,
            desired: count(desired),
            pending: count(pending),
            running: count(running),
            failed: Some(count(found.failed_tasks)),
            traffic_percent: None,
            target_group_arn: String::new(),
        },
    }
}

fn task_definition(arn: &str, found: sdk::TaskDefinition) -> TaskDefinition {
    TaskDefinition {
        active: found.status == Some(sdk::TaskDefinitionStatus::Active),
        containers: found.container_definitions.unwrap_or_default().into_iter().map(container).collect(),
        arn: found.task_definition_arn.unwrap_or_else(|| arn.to_owned()),
    }
}

fn container(found: sdk::ContainerDefinition) -> Container {
    let ports = found.port_mappings().iter().filter_map(|mapping| mapping.container_port);
    Container {
        ports: ports.filter_map(|port| u16::try_from(port).ok()).collect(),
        // What is not said is essential.
        essential: found.essential.unwrap_or(true),
        log: found.log_configuration.as_ref().and_then(log),
        secrets: secrets(&found).collect(),
        registry_login: found.repository_credentials.map(|login| login.credentials_parameter),
        stop_timeout_seconds: found.stop_timeout.and_then(|seconds| u32::try_from(seconds).ok()),
        name: found.name.unwrap_or_default(),
        image: found.image.unwrap_or_default(),
        labels: found.docker_labels.unwrap_or_default().into_iter().collect(),
    }
}

/// Of the container, and of the driver of its log: without any of them the task does not start.
fn secrets(found: &sdk::ContainerDefinition) -> impl Iterator<Item = (String, String)> {
    let of_log = found.log_configuration().into_iter().flat_map(|log| log.secret_options());
    found.secrets().iter().chain(of_log).map(|secret| (secret.name.clone(), secret.value_from.clone()))
}

fn log(found: &sdk::LogConfiguration) -> Option<ContainerLog> {
    let option = |name: &str| found.options().and_then(|options| options.get(name)).cloned();
    if found.log_driver != sdk::LogDriver::Awslogs {
        return None;
    }
    Some(ContainerLog {
        region: option("awslogs-region"),
        group: option("awslogs-group")?,
        prefix: option("awslogs-stream-prefix"),
    })
}

pub(super) fn task(found: sdk::Task) -> Task {
    let mut addresses: Vec<String> = Vec::new();
    for attachment in found.attachments() {
        let own = attachment
            .details()
            .iter()
            .filter(|detail| matches!(detail.name.as_deref(), Some("privateIPv4Address" | "privateIPv6Address")));
        addresses.extend(own.filter_map(|detail| detail.value.clone()));
    }
    for container in found.containers() {
        for interface in container.network_interfaces() {
            addresses.extend([&interface.private_ipv4_address, &interface.ipv6_address].into_iter().flatten().cloned());
        }
    }
    addresses.sort();
    addresses.dedup();
    let exit_codes = found
        .containers()
        .iter()
        .filter_map(|container| Some((container.name.clone().unwrap_or_default(), container.exit_code?)))
        .collect();
    let reasons = found
        .containers()
        .iter()
        .filter_map(|container| Some((container.name.clone().unwrap_or_default(), container.reason.clone()?)))
        .collect();
    let at = |time: aws_smithy_types::DateTime| jiff::Timestamp::from_second(time.secs()).ok();
    Task {
        exit_codes,
        reasons,
        addresses,
        arn: found.task_arn.unwrap_or_default(),
        last_status: found.last_status.unwrap_or_default(),
        task_definition: found.task_definition_arn.unwrap_or_default(),
        started_by: found.started_by,
        zone: found.availability_zone.unwrap_or_default(),
        stop_code: found.stop_code.map(|code| code.as_str().to_owned()),
        stopped_reason: found.stopped_reason,
        started_at: found.started_at.and_then(at),
        stopped_at: found.stopped_at.and_then(at),
    }
}

fn count(number: i32) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

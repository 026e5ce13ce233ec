//! ECS: tasks that run once.

use async_trait::async_trait;
use aws_sdk_ecs::types as sdk;

use super::Aws;
use super::ecs::{Filter, task};
use super::failure::{Kind, code, explain, incomplete, kind, words};
use crate::check::CannotTell;
use crate::ports::{OneOffTasks, Started, Task, TaskOrder};

/// How ECS begins to say that Fargate has no room now.
const NO_CAPACITY: &str = "Capacity is unavailable";

/// Where and how the tasks of a task set run.
struct Placement {
    network: Option<sdk::NetworkConfiguration>,
    launch_type: Option<sdk::LaunchType>,
    capacity_providers: Vec<sdk::CapacityProviderStrategyItem>,
    platform: Option<String>,
}

#[async_trait]
impl OneOffTasks for Aws {
    async fn marked(&self, cluster: &str, mark: &str) -> Result<Vec<Task>, CannotTell> {
        self.all_tasks(cluster, Filter::StartedBy(mark)).await
    }

    /// One that was told to stop is among the stopped ones until it has.
    async fn of_family(&self, cluster: &str, family: &str) -> Result<Vec<Task>, CannotTell> {
        let mut tasks = self.all_tasks(cluster, Filter::Family(family)).await?;
        tasks.retain(|task| task.last_status != "STOPPED");
        Ok(tasks)
    }

    async fn task(&self, cluster: &str, arn: &str) -> Result<Option<Task>, CannotTell> {
        let call = self.ecs().describe_tasks().cluster(cluster).tasks(arn);
        let answer = call.send().await.map_err(|error| explain("ecs:DescribeTasks", arn, &error))?;
        Ok(answer.tasks.unwrap_or_default().into_iter().next().map(task))
    }

    /// The mark is the client token too, so that ECS itself starts no second task for it, for as long as it knows the first.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html>
    async fn start(&self, order: &TaskOrder) -> Result<Started, CannotTell> {
        const ACTION: &str = "ecs:RunTask";
        let placement = self.placement(order).await?;
        let variables = order
            .environment
            .iter()
            .map(|(name, value)| sdk::KeyValuePair::builder().name(name).value(value).build())
            .collect::<Vec<_>>();
        let container = sdk::ContainerOverride::builder()
            .name(&order.container)
            .set_command(Some(order.command.clone()))
            .set_environment((!variables.is_empty()).then_some(variables))
            .build();
        let call = self
            .ecs()
            .run_task()
            .cluster(&order.cluster)
            .task_definition(&order.task_definition)
            .count(1)
            .client_token(&order.mark)
            .started_by(&order.mark)
            .overrides(sdk::TaskOverride::builder().container_overrides(container).build())
            .set_network_configuration(placement.network)
            .set_launch_type(placement.launch_type)
            .set_capacity_provider_strategy(Some(placement.capacity_providers).filter(|it| !it.is_empty()))
            .set_platform_version(placement.platform);
        let answer = match call.send().await {
            Ok(answer) => answer,
            // Roles are passed with the task, and IAM says which one may not be.
            Err(error) if kind(&error) == Kind::Denied && words(&error).contains("iam:PassRole") => {
                let remedy = "Name the task definition's execution role and task role in the template's parameter \
                              MigrationTaskRoles, deploy greenlight, then redeploy.";
                return Err(CannotTell {
                    remedy: remedy.to_owned(),
                    ..explain("iam:PassRole", &order.task_definition, &error)
                });
            }
            Err(error) if kind(&error) == Kind::Refused && code(&error) != Some("ClusterNotFoundException") => {
                let said = words(&error);
                return Ok(if said.contains(NO_CAPACITY) { Started::NoRoom(said) } else { Started::Refused(said) });
            }
            Err(error) => return Err(explain(ACTION, &order.task_definition, &error)),
        };
        if let Some(started) = answer.tasks.unwrap_or_default().into_iter().next() {
            return Ok(Started::Task(Box::new(task(started))));
        }
        // A failure comes with status 200.
        let failures = answer.failures.unwrap_or_default();
        let Some(failure) = failures.first() else {
            return Err(incomplete(ACTION, &order.task_definition, "task and no failure"));
        };
        let reason = failure.reason().unwrap_or("ECS gives no reason");
        let said = match failure.detail() {
            Some(detail) => format!("{reason}: {detail}"),
            None => reason.to_owned(),
        };
        Ok(if may_pass(reason) { Started::NoRoom(said) } else { Started::Refused(said) })
    }

    async fn stop(&self, cluster: &str, arn: &str, reason: &str) -> Result<(), CannotTell> {
        let call = self.ecs().stop_task().cluster(cluster).task(arn).reason(reason);
        call.send().await.map(|_| ()).map_err(|error| explain("ecs:StopTask", arn, &error))
    }
}

impl Aws {
    /// Of the task set, and where it says nothing, or there is none, of the service.
    async fn placement(&self, order: &TaskOrder) -> Result<Placement, CannotTell> {
        const ACTION: &str = "ecs:DescribeServices";
        let name = format!("{}/{}", order.cluster, order.service);
        let call = self.ecs().describe_services().cluster(&order.cluster).services(&order.service);
        let answer = call.send().await.map_err(|error| explain(ACTION, &name, &error))?;
        let service = answer.services.unwrap_or_default().into_iter().next();
        let service = service.ok_or_else(|| incomplete(ACTION, &name, "service of this name"))?;
        let set = service.task_sets().iter().find(|set| set.id.is_some() && set.id == order.task_set);
        let of_set = set.is_some_and(|set| set.launch_type.is_some() || !set.capacity_provider_strategy().is_empty());
        let (providers, launch_type, platform) = match set.filter(|_| of_set) {
            Some(set) => (set.capacity_provider_strategy(), &set.launch_type, &set.platform_version),
            None => (service.capacity_provider_strategy(), &service.launch_type, &service.platform_version),
        };
        let network = set.and_then(|set| set.network_configuration.clone());
        Ok(Placement {
            network: network.or_else(|| service.network_configuration.clone()),
            // ECS takes one of the two.
            launch_type: launch_type.clone().filter(|_| providers.is_empty()),
            capacity_providers: providers.to_vec(),
            platform: platform.clone().filter(|platform| !platform.is_empty()),
        })
    }
}

/// Whether ECS may have room for it a little later.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html>
fn may_pass(reason: &str) -> bool {
    reason.starts_with("RESOURCE:") || reason == "AGENT" || reason.starts_with(NO_CAPACITY)
}

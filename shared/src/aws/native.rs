//! ECS: deployments that it carries out itself, and the revisions of their services.

use async_trait::async_trait;
use aws_sdk_ecs::types as sdk;

use super::Aws;
use super::failure::{explain, incomplete};
use crate::check::CannotTell;
use crate::deployment::{AlarmConfiguration, Deployment, Listener};
use crate::discovery::{
    Balancing, DiscoveryError, NativeDeployments, NativeParts, NativeRecord, ServiceRevision, assemble_native,
    listener_of, without_load_balancer,
};
use crate::event::ServiceDeploymentArn;
use crate::lifecycle_stage::LifecycleStage;

#[async_trait]
impl NativeDeployments for Aws {
    async fn native_record(&self, arn: &ServiceDeploymentArn) -> Result<NativeRecord, DiscoveryError> {
        self.forget_answers();
        Ok(self.service_deployment(arn).await?)
    }

    async fn describe_native(&self, record: NativeRecord, stage: LifecycleStage) -> Result<Deployment, DiscoveryError> {
        self.described_natively(record, stage).await
    }
}

impl Aws {
    /// The first question of every invocation.
    async fn service_deployment(&self, arn: &ServiceDeploymentArn) -> Result<NativeRecord, CannotTell> {
        const ACTION: &str = "ecs:DescribeServiceDeployments";
        let call = self.ecs().describe_service_deployments().service_deployment_arns(&arn.arn);
        let answer = call.send().await.map_err(|error| explain(ACTION, &arn.arn, &error))?;
        let found = answer.service_deployments.unwrap_or_default().into_iter().next();
        let found = found.ok_or_else(|| incomplete(ACTION, &arn.arn, "service deployment with this ARN"))?;
        Ok(record(arn, found))
    }

    /// Revisions and service do not wait for each other, nor do the listeners and target groups that they name.
    async fn described_natively(
        &self,
        record: NativeRecord,
        stage: LifecycleStage,
    ) -> Result<Deployment, DiscoveryError> {
        let arn = &record.arn;
        let service = async { Ok(self.service(&arn.cluster, &arn.service).await?) };
        let balanced = async {
            let (blue, green) = self.revisions(&record).await?;
            let Some(balancing) = green.balancing.clone() else {
                return Err(without_load_balancer(&record, green.test_header.as_ref()));
            };
            let (target_groups, production, test) = tokio::try_join!(
                async { Ok::<_, DiscoveryError>(self.target_groups(&balancing.target_groups).await?) },
                self.listener_by_rule(&balancing.production),
                async {
                    match &balancing.test {
                        Some(rule) => self.listener_by_rule(rule).await.map(Some),
                        None => Ok(None),
                    }
                }
            )?;
            Ok((blue, green, balancing, target_groups, production, test))
        };
        let ((service, candidates), (blue, green, balancing, target_groups, production, test)) =
            tokio::try_join!(service, balanced)?;
        let parts = NativeParts { stage, blue, green, balancing, service, candidates, target_groups, production, test };
        Ok(assemble_native(record, parts))
    }

    /// Blue and green. ECS names several sources when it reconciles a service: blue is the one that serves, and where ECS does
    /// not say which that is, the newest.
    async fn revisions(
        &self,
        record: &NativeRecord,
    ) -> Result<(Option<ServiceRevision>, ServiceRevision), DiscoveryError> {
        const ACTION: &str = "ecs:DescribeServiceRevisions";
        let name = &record.arn.arn;
        let target = record.target.as_ref().ok_or_else(|| incomplete(ACTION, name, "target revision"))?;
        let mut arns: Vec<String> = record.sources.clone();
        arns.push(target.clone());
        let call = self.ecs().describe_service_revisions().set_service_revision_arns(Some(arns));
        let answer = call.send().await.map_err(|error| explain(ACTION, name, &error))?;
        let mut found = answer.service_revisions.unwrap_or_default();
        found.sort_by_key(|revision| revision.created_at.map(|at| at.secs()));
        let mut found: Vec<ServiceRevision> = found.into_iter().map(revision).collect();
        let gone = |arn: &str, what: &str| {
            DiscoveryError::unfit(
                format!("ECS knows no service revision {arn}, {what} of the deployment"),
                "Look at the service's deployments in ECS; deploy again.",
            )
        };
        let at = found.iter().position(|revision| revision.arn == *target).ok_or_else(|| gone(target, "the target"))?;
        let green = found.remove(at);
        found.retain(|revision| record.sources.contains(&revision.arn));
        // The last of them is blue.
        found.sort_by_key(|revision| Some(&revision.arn) == record.serving.as_ref());
        let blue = found.pop();
        match (blue, record.sources.first()) {
            (None, Some(source)) => Err(gone(source, "the source")),
            (blue, _) => Ok((blue, green)),
        }
    }

    async fn listener_by_rule(&self, rule: &str) -> Result<Listener, DiscoveryError> {
        let (listener, rule) = listener_of(rule).ok_or_else(|| {
            DiscoveryError::unfit(
                format!("{rule} is the ARN of neither a listener rule nor a listener"),
                "Correct advancedConfiguration of the service's load balancer.",
            )
        })?;
        Ok(self.described_listener(&listener).await?.narrowed(rule))
    }
}

fn record(arn: &ServiceDeploymentArn, found: sdk::ServiceDeployment) -> NativeRecord {
    let configuration = found.deployment_configuration;
    let alarms = configuration.as_ref().and_then(|it| it.alarms.as_ref());
    let target = found.target_service_revision;
    let began = found.started_at.or(found.created_at);
    let sources = found.source_service_revisions.unwrap_or_default();
    NativeRecord {
        arn: arn.clone(),
        status: found.status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
        serving: serving(&sources),
        sources: sources.into_iter().filter_map(|it| it.arn).collect(),
        green_percent: target.as_ref().and_then(|it| it.requested_production_traffic_weight),
        target: target.and_then(|it| it.arn),
        alarms: AlarmConfiguration {
            enabled: alarms.is_some_and(|it| it.enable),
            ignore_poll_failure: false,
            names: alarms.map(|it| it.alarm_names.clone()).unwrap_or_default(),
        },
        alarms_roll_back: alarms.is_some_and(|it| it.enable && it.rollback),
        bake_minutes: configuration.and_then(|it| it.bake_time_in_minutes).and_then(|it| u32::try_from(it).ok()),
        began: began.and_then(|at| jiff::Timestamp::from_second(at.secs()).ok()),
    }
}

/// Weights are in tenths of a percent at the finest.
fn serving(sources: &[sdk::ServiceRevisionSummary]) -> Option<String> {
    let tenths = |percent: f64| (percent.clamp(0.0, 100.0) * 10.0).round() as u32;
    let rank = |source: &sdk::ServiceRevisionSummary| {
        (source.requested_production_traffic_weight.map(tenths), source.requested_task_count)
    };
    let most = sources.iter().map(rank).max()?;
    let mut first = sources.iter().filter(|source| rank(source) == most);
    let only = first.next().filter(|_| first.next().is_none())?;
    only.arn.clone()
}

fn revision(found: sdk::ServiceRevision) -> ServiceRevision {
    let balancing = found.load_balancers().iter().find_map(balancing);
    let resolved = found.resolved_configuration.as_ref().map(|it| it.load_balancers()).unwrap_or_default();
    // Of a service with several load balancers, what is resolved of the one that is looked at.
    let of_pair = |group: &String| balancing.as_ref().is_none_or(|it| it.target_groups.contains(group));
    let resolved = resolved.iter().filter_map(|it| it.target_group_arn.as_ref()).find(|group| of_pair(group)).cloned();
    let connect = found.service_connect_configuration.as_ref();
    let aliases = connect.into_iter().flat_map(|it| it.services()).flat_map(|it| it.client_aliases());
    let test_header = aliases
        .filter_map(|it| it.test_traffic_rules.as_ref()?.header.as_ref())
        .find_map(|header| Some((header.name.clone(), header.value.as_ref()?.exact.clone())));
    ServiceRevision {
        balancing,
        target_group: resolved,
        test_header,
        arn: found.service_revision_arn.unwrap_or_default(),
        task_definition: found.task_definition.unwrap_or_default(),
    }
}

fn balancing(found: &sdk::LoadBalancer) -> Option<Balancing> {
    let advanced = found.advanced_configuration.as_ref()?;
    Some(Balancing {
        container_name: found.container_name.clone().unwrap_or_default(),
        container_port: found.container_port.and_then(|port| u16::try_from(port).ok()).unwrap_or_default(),
        target_groups: [found.target_group_arn.clone()?, advanced.alternate_target_group_arn.clone()?],
        production: advanced.production_listener_rule.clone()?,
        test: advanced.test_listener_rule.clone(),
    })
}

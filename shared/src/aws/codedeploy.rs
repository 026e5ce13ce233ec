//! CodeDeploy: a deployment's record, its group and its target; and the answer.

use aws_sdk_codedeploy::types::{
    AlarmConfiguration as SdkAlarms, AutoRollbackConfiguration, BlueGreenDeploymentConfiguration, DeploymentInfo,
    DeploymentTarget, EcsTarget, InstanceAction, LambdaTarget, LifecycleEvent, LifecycleEventStatus, LoadBalancerInfo,
    TargetLabel,
};
use futures::future::try_join_all;

use super::Aws;
use super::failure::{code, explain, incomplete};
use crate::check::CannotTell;
use crate::deployment::{AlarmConfiguration, AutoRollback, DeploymentId};
use crate::discovery::{FunctionTarget, Group, Platform, Record, Revision, Routes, Settings, Target};

/// Targets that one call may ask for.
const AT_ONCE: usize = 25;

impl Aws {
    pub(super) async fn deployment(&self, id: &DeploymentId) -> Result<Record, CannotTell> {
        const ACTION: &str = "codedeploy:GetDeployment";
        let call = self.codedeploy().get_deployment().deployment_id(&id.0);
        let answer = call.send().await.map_err(|error| explain(ACTION, &id.0, &error))?;
        let info = answer.deployment_info.ok_or_else(|| incomplete(ACTION, &id.0, "deployment"))?;
        Ok(record(id, info))
    }

    pub(super) async fn group(&self, record: &Record) -> Result<Group, CannotTell> {
        const ACTION: &str = "codedeploy:GetDeploymentGroup";
        let name = format!("{}/{}", record.application, record.group);
        let call = self.codedeploy().get_deployment_group();
        let call = call.application_name(&record.application).deployment_group_name(&record.group);
        let answer = call.send().await.map_err(|error| explain(ACTION, &name, &error))?;
        let info = answer.deployment_group_info.ok_or_else(|| incomplete(ACTION, &name, "group"))?;
        let service = info
            .ecs_services()
            .first()
            .and_then(|service| Some((service.cluster_name.clone()?, service.service_name.clone()?)));
        Ok(Group {
            service,
            alarms: info.alarm_configuration.map(alarms).unwrap_or_default(),
            settings: settings(
                info.auto_rollback_configuration,
                info.blue_green_deployment_configuration,
                info.load_balancer_info.as_ref(),
            ),
        })
    }

    /// Ids of the deployment's targets; for ECS there is one, `<cluster>:<service>`, and for Lambda one too.
    pub(super) async fn target_ids(&self, id: &DeploymentId) -> Result<Vec<String>, CannotTell> {
        let mut ids = Vec::new();
        let mut token = None;
        loop {
            let call = self.codedeploy().list_deployment_targets().deployment_id(&id.0).set_next_token(token);
            let page = call.send().await.map_err(|error| {
                let mut cannot_tell = explain("codedeploy:ListDeploymentTargets", &id.0, &error);
                cannot_tell.transient |= code(&error) == Some("DeploymentNotStartedException");
                cannot_tell
            })?;
            ids.extend(page.target_ids.unwrap_or_default());
            token = page.next_token;
            if token.is_none() {
                return Ok(ids);
            }
        }
    }

    /// The first ECS target among these.
    pub(super) async fn target(&self, id: &DeploymentId, ids: &[String]) -> Result<Option<Target>, CannotTell> {
        let targets = self.targets(id, ids).await?;
        Ok(targets.into_iter().find_map(|target| target.ecs_target).map(target))
    }

    /// The first Lambda target among these.
    pub(super) async fn function_target(
        &self,
        id: &DeploymentId,
        ids: &[String],
    ) -> Result<Option<FunctionTarget>, CannotTell> {
        let targets = self.targets(id, ids).await?;
        Ok(targets.into_iter().find_map(|target| target.lambda_target).map(function_target))
    }

    async fn targets(&self, id: &DeploymentId, ids: &[String]) -> Result<Vec<DeploymentTarget>, CannotTell> {
        let batches = try_join_all(ids.chunks(AT_ONCE).map(|ids| async move {
            let call = self.codedeploy().batch_get_deployment_targets().deployment_id(&id.0);
            let answer = call.set_target_ids(Some(ids.to_vec())).send().await.map_err(|error| {
                let mut cannot_tell = explain("codedeploy:BatchGetDeploymentTargets", &id.0, &error);
                cannot_tell.transient |= code(&error) == Some("DeploymentNotStartedException");
                cannot_tell
            })?;
            Ok::<_, CannotTell>(answer.deployment_targets.unwrap_or_default())
        }))
        .await?;
        Ok(batches.into_iter().flatten().collect())
    }
}

fn record(id: &DeploymentId, info: DeploymentInfo) -> Record {
    let undoes = info.rollback_info.and_then(|rollback| rollback.rollback_triggering_deployment_id);
    Record {
        id: id.clone(),
        application: info.application_name.unwrap_or_default(),
        group: info.deployment_group_name.unwrap_or_default(),
        config: info.deployment_config_name.unwrap_or_default(),
        creator: info.creator.map(|creator| creator.as_str().to_owned()).unwrap_or_default(),
        status: info.status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
        platform: Platform::named(info.compute_platform.as_ref().map_or("", |platform| platform.as_str())),
        undoes: undoes.filter(|id| !id.is_empty()).map(DeploymentId),
        override_alarms: info.override_alarm_configuration.map(alarms),
        settings: settings(
            info.auto_rollback_configuration,
            info.blue_green_deployment_configuration,
            info.load_balancer_info.as_ref(),
        ),
        revision: info.revision.map_or_else(|| Revision::Other("none".to_owned()), super::revisions::revision),
        target_ids: Vec::new(),
    }
}

fn settings(
    auto_rollback: Option<AutoRollbackConfiguration>,
    blue_green: Option<BlueGreenDeploymentConfiguration>,
    load_balancer: Option<&LoadBalancerInfo>,
) -> Settings {
    let termination = blue_green.and_then(|settings| settings.terminate_blue_instances_on_deployment_success);
    Settings {
        auto_rollback: auto_rollback.map(|settings| AutoRollback {
            enabled: settings.enabled,
            events: settings.events().iter().map(|event| event.as_str().to_owned()).collect(),
        }),
        termination_wait: termination.map(|option| match option.action {
            Some(InstanceAction::KeepAlive) => None,
            _ => Some(u32::try_from(option.termination_wait_time_in_minutes).unwrap_or_default()),
        }),
        routes: load_balancer.and_then(routes),
    }
}

fn routes(info: &LoadBalancerInfo) -> Option<Routes> {
    let pair = info.target_group_pair_info_list().first()?;
    let listener = |route: Option<&aws_sdk_codedeploy::types::TrafficRoute>| {
        route.and_then(|route| route.listener_arns().first().cloned())
    };
    Some(Routes {
        target_groups: pair.target_groups().iter().filter_map(|group| group.name.clone()).collect(),
        production: listener(pair.prod_traffic_route())?,
        test: listener(pair.test_traffic_route()),
    })
}

fn alarms(settings: SdkAlarms) -> AlarmConfiguration {
    AlarmConfiguration {
        enabled: settings.enabled,
        ignore_poll_failure: settings.ignore_poll_alarm_failure,
        names: settings.alarms().iter().filter_map(|alarm| alarm.name.clone()).collect(),
    }
}

/// The names of the events that have this status.
fn named(events: &[LifecycleEvent], status: &LifecycleEventStatus) -> Vec<String> {
    let of_status = events.iter().filter(|event| event.status.as_ref() == Some(status));
    of_status.filter_map(|event| event.lifecycle_event_name.clone()).collect()
}

fn function_target(target: LambdaTarget) -> FunctionTarget {
    let events_in_progress = named(target.lifecycle_events(), &LifecycleEventStatus::InProgress);
    let Some(info) = target.lambda_function_info else {
        return FunctionTarget { events_in_progress, ..FunctionTarget::default() };
    };
    FunctionTarget {
        events_in_progress,
        function: info.function_name,
        alias: info.function_alias,
        current: info.current_version,
        target: info.target_version,
        target_percent: Some(info.target_version_weight),
    }
}

/// `identifer` is how the API spells it.
fn target(target: EcsTarget) -> Target {
    let events = target.lifecycle_events();
    let shift = events.iter().find(|event| event.lifecycle_event_name() == Some("AllowTraffic"));
    Target {
        shift_began: shift
            .and_then(|event| event.start_time())
            .and_then(|at| jiff::Timestamp::from_second(at.secs()).ok()),
        events_in_progress: named(events, &LifecycleEventStatus::InProgress),
        installed: named(events, &LifecycleEventStatus::Succeeded).iter().any(|name| name == "Install"),
        sides: target
            .task_sets_info()
            .iter()
            .filter_map(|side| {
                let label = side.task_set_label.as_ref().map(TargetLabel::as_str).map(str::to_owned);
                Some((side.identifer.clone()?, label, side.traffic_weight))
            })
            .collect(),
    }
}

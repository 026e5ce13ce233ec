//! Deployment groups.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::revisions::Location;
use super::settings::{AlarmConfiguration, AutoRollback, BlueGreen, LoadBalancerInfo, STYLE, Style, existing_config};
use super::{application_name, group, page};
use crate::wire::context::{Context, Time, stable_uuid};
use crate::wire::refusal::Refusal;
use crate::world::deployments::{Deployment, DeploymentGroup, DeploymentStatus, GroupTarget};
use crate::world::{ACCOUNT, State};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetGroup {
    application_name: Option<String>,
    deployment_group_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GotGroup {
    deployment_group_info: GroupInfo,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupInfo {
    application_name: String,
    deployment_group_id: String,
    deployment_group_name: String,
    deployment_config_name: String,
    auto_scaling_groups: Vec<String>,
    service_role_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_revision: Option<Location>,
    trigger_configurations: Vec<String>,
    alarm_configuration: AlarmConfiguration,
    auto_rollback_configuration: AutoRollback,
    deployment_style: Style,
    outdated_instances_strategy: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    blue_green_deployment_configuration: Option<BlueGreen>,
    #[serde(skip_serializing_if = "Option::is_none")]
    load_balancer_info: Option<LoadBalancerInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_successful_deployment: Option<LastDeployment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_attempted_deployment: Option<LastDeployment>,
    compute_platform: &'static str,
    ecs_services: Vec<EcsService>,
    termination_hook_enabled: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LastDeployment {
    deployment_id: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<Time>,
    create_time: Time,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EcsService {
    service_name: String,
    cluster_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchGetGroups {
    application_name: Option<String>,
    deployment_group_names: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GotGroups {
    deployment_groups_info: Vec<GroupInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListGroups {
    application_name: Option<String>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupList {
    application_name: String,
    deployment_groups: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// What may be changed here; anything else that is given is refused by name.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateGroup {
    application_name: Option<String>,
    current_deployment_group_name: Option<String>,
    deployment_config_name: Option<String>,
    alarm_configuration: Option<AlarmConfiguration>,
    auto_rollback_configuration: Option<AutoRollback>,
    blue_green_deployment_configuration: Option<NewBlueGreen>,
    #[serde(flatten)]
    rest: serde_json::Map<String, serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewBlueGreen {
    terminate_blue_instances_on_deployment_success: Option<NewTermination>,
    deployment_ready_option: Option<NewReadyOption>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewTermination {
    action: Option<String>,
    termination_wait_time_in_minutes: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewReadyOption {
    action_on_timeout: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Updated {
    hooks_not_cleaned_up: Vec<String>,
}

pub(super) fn get(context: &Context<'_>, input: GetGroup) -> Result<GotGroup, Refusal> {
    context.world.read(|state| {
        let application = application_name(state, input.application_name)?;
        let group = group(state, &application, input.deployment_group_name.as_deref())?;
        Ok(GotGroup { deployment_group_info: info(context, state, group) })
    })
}

pub(super) fn batch_get(context: &Context<'_>, input: BatchGetGroups) -> Result<GotGroups, Refusal> {
    let names = input.deployment_group_names.unwrap_or_default();
    if names.is_empty() {
        return Err(Refusal::new("DeploymentGroupNameRequiredException", "Deployment group names are missing"));
    }
    if names.len() > 100 {
        return Err(Refusal::new("BatchLimitExceededException", "At most 100 deployment groups can be asked for"));
    }
    context.world.read(|state| {
        let application = application_name(state, input.application_name)?;
        let (found, missing): (Vec<_>, Vec<_>) =
            names.iter().map(|name| (name, state.codedeploy.group(&application, name))).partition(|it| it.1.is_some());
        let missing: Vec<&str> = missing.into_iter().map(|(name, _)| name.as_str()).collect();
        Ok(GotGroups {
            deployment_groups_info: found
                .into_iter()
                .filter_map(|it| it.1)
                .map(|it| info(context, state, it))
                .collect(),
            error_message: (!missing.is_empty())
                .then(|| format!("No Deployment Group found for names: {}", missing.join(", "))),
        })
    })
}

pub(super) fn list(context: &Context<'_>, input: ListGroups) -> Result<GroupList, Refusal> {
    let (application_name, all) = context.world.read(|state| {
        let application = application_name(state, input.application_name)?;
        let groups = state.codedeploy.groups.iter().filter(|it| it.application == application);
        let names: Vec<String> = groups.map(|it| it.name.clone()).collect();
        Ok::<_, Refusal>((application, names))
    })?;
    let (deployment_groups, next_token) = page(context, all, input.next_token.as_deref())?;
    Ok(GroupList { application_name, deployment_groups, next_token })
}

pub(super) fn update(context: &Context<'_>, input: UpdateGroup) -> Result<Updated, Refusal> {
    if let Some(name) = input.rest.keys().next() {
        return Err(Refusal::not_implemented(&format!("codedeploy:UpdateDeploymentGroup with {name}")));
    }
    context.world.update(|state| {
        let application = application_name(state, input.application_name)?;
        let name = group(state, &application, input.current_deployment_group_name.as_deref())?.name.clone();
        if let Some(config) = &input.deployment_config_name {
            existing_config(state, config)?;
        }
        let alarms = input.alarm_configuration.map(|it| Ok::<_, Refusal>((it.enabled, it.names()?))).transpose()?;
        let rollback = input.auto_rollback_configuration.map(|it| it.setting()).transpose()?;
        let termination_wait =
            input.blue_green_deployment_configuration.map_or(Ok(None), |it| it.termination_wait())?;
        let is_it = |it: &&mut DeploymentGroup| it.application == application && it.name == name;
        let group = state.codedeploy.groups.iter_mut().find(is_it).expect("it was found above");
        if let Some(config) = input.deployment_config_name {
            group.config = config;
        }
        if let Some((enabled, names)) = alarms {
            group.alarms_enabled = enabled;
            group.alarms = names;
        }
        if let Some(rollback) = rollback {
            group.auto_rollback = rollback;
        }
        if let Some(wait) = termination_wait {
            match &mut group.target {
                GroupTarget::Service(service) => service.termination_wait = wait,
                GroupTarget::Function => {
                    return Err(Refusal::new(
                        "InvalidBlueGreenDeploymentConfigurationException",
                        "Functions have no blue instances to terminate",
                    ));
                }
            }
        }
        Ok(Updated { hooks_not_cleaned_up: Vec::new() })
    })
}

impl NewBlueGreen {
    fn termination_wait(self) -> Result<Option<Duration>, Refusal> {
        let action = self.deployment_ready_option.and_then(|it| it.action_on_timeout);
        if action.is_some_and(|action| action != "CONTINUE_DEPLOYMENT") {
            return Err(Refusal::not_implemented("codedeploy:UpdateDeploymentGroup with a wait before traffic moves"));
        }
        let Some(termination) = self.terminate_blue_instances_on_deployment_success else { return Ok(None) };
        if termination.action.is_some_and(|action| action != "TERMINATE") {
            return Err(Refusal::not_implemented("codedeploy:UpdateDeploymentGroup with KEEP_ALIVE"));
        }
        let minutes = termination.termination_wait_time_in_minutes;
        if minutes.is_some_and(|minutes| minutes > 2880) {
            return Err(Refusal::new(
                "InvalidBlueGreenDeploymentConfigurationException",
                "The termination wait time is at most 2880 minutes",
            ));
        }
        Ok(minutes.map(|minutes| Duration::from_secs(minutes * 60)))
    }
}

fn info(context: &Context<'_>, state: &State, group: &DeploymentGroup) -> GroupInfo {
    let attempts = || {
        let deployments = state.codedeploy.deployments.iter().rev();
        deployments.filter(|it| it.application == group.application && it.group == group.name)
    };
    let last_attempt = attempts().next();
    let last_success = attempts().find(|it| it.status == DeploymentStatus::Succeeded);
    let last = |deployment: &Deployment| LastDeployment {
        deployment_id: deployment.id.clone(),
        status: deployment.status.name(),
        end_time: deployment.completed_at.map(|time| context.time(time)),
        create_time: context.time(deployment.created_at),
    };
    let service = group.service();
    GroupInfo {
        application_name: group.application.clone(),
        deployment_group_id: stable_uuid(&format!("deployment group {}/{}", group.application, group.name)),
        deployment_group_name: group.name.clone(),
        deployment_config_name: group.config.clone(),
        auto_scaling_groups: Vec::new(),
        service_role_arn: format!("arn:aws:iam::{ACCOUNT}:role/rehearsal-codedeploy"),
        target_revision: last_attempt.map(|it| Location::without_content(&it.revision)),
        trigger_configurations: Vec::new(),
        alarm_configuration: AlarmConfiguration::of(group),
        auto_rollback_configuration: AutoRollback::of(group.auto_rollback.as_deref()),
        deployment_style: STYLE,
        outdated_instances_strategy: "UPDATE",
        blue_green_deployment_configuration: service.map(BlueGreen::of),
        load_balancer_info: service.map(LoadBalancerInfo::of),
        last_successful_deployment: last_success.map(last),
        last_attempted_deployment: last_attempt.map(last),
        compute_platform: group.platform().name(),
        ecs_services: service
            .map(|it| EcsService { service_name: it.service.clone(), cluster_name: it.cluster.clone() })
            .into_iter()
            .collect(),
        termination_hook_enabled: false,
    }
}

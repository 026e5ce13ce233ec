//! Deployments: begun, told about, listed, stopped.

use serde::{Deserialize, Serialize};

use super::revisions::Location;
use super::settings::{AlarmConfiguration, AutoRollback, BlueGreen, LoadBalancerInfo, STYLE, Style};
use super::{application_name, deployment, deployment_id, group, page};
use crate::codedeploy::api::{self, NewDeployment};
use crate::wire::context::{ClientTime, Context, Time};
use crate::wire::refusal::Refusal;
use crate::world::State;
use crate::world::deployments::{Deployment, DeploymentGroup, DeploymentStatus, Platform, RollbackEvent};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateDeployment {
    application_name: Option<String>,
    deployment_group_name: Option<String>,
    revision: Option<Location>,
    deployment_config_name: Option<String>,
    description: Option<String>,
    auto_rollback_configuration: Option<AutoRollback>,
    override_alarm_configuration: Option<AlarmConfiguration>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Created {
    deployment_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OneDeployment {
    deployment_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GotDeployment {
    deployment_info: DeploymentInfo,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchGetDeployments {
    deployment_ids: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GotDeployments {
    deployments_info: Vec<DeploymentInfo>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeploymentInfo {
    application_name: String,
    deployment_group_name: String,
    deployment_config_name: String,
    deployment_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_revision: Option<Location>,
    revision: Location,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_information: Option<ErrorInformation>,
    create_time: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    complete_time: Option<Time>,
    deployment_overview: Overview,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    creator: &'static str,
    ignore_application_stop_failures: bool,
    auto_rollback_configuration: AutoRollback,
    update_outdated_instances_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollback_info: Option<RollbackInfo>,
    deployment_style: Style,
    instance_termination_wait_time_started: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    blue_green_deployment_configuration: Option<BlueGreen>,
    #[serde(skip_serializing_if = "Option::is_none")]
    load_balancer_info: Option<LoadBalancerInfo>,
    file_exists_behavior: &'static str,
    deployment_status_messages: Vec<String>,
    compute_platform: &'static str,
}

#[derive(Serialize)]
struct ErrorInformation {
    code: &'static str,
    message: String,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Overview {
    pending: u32,
    in_progress: u32,
    succeeded: u32,
    failed: u32,
    skipped: u32,
    ready: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RollbackInfo {
    #[serde(skip_serializing_if = "Option::is_none")]
    rollback_deployment_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollback_triggering_deployment_id: Option<String>,
    rollback_message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListDeployments {
    application_name: Option<String>,
    deployment_group_name: Option<String>,
    external_id: Option<String>,
    include_only_statuses: Option<Vec<String>>,
    create_time_range: Option<TimeRange>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
struct TimeRange {
    start: Option<ClientTime>,
    end: Option<ClientTime>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeploymentList {
    deployments: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StopDeployment {
    deployment_id: Option<String>,
    auto_rollback_enabled: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stopped {
    status: &'static str,
    status_message: &'static str,
}

pub(super) fn create(context: &Context<'_>, input: CreateDeployment) -> Result<Created, Refusal> {
    if input.override_alarm_configuration.is_some() {
        return Err(Refusal::not_implemented("codedeploy:CreateDeployment with overrideAlarmConfiguration"));
    }
    let (application, group) = context.world.read(|state| {
        let application = application_name(state, input.application_name)?;
        let group = group(state, &application, input.deployment_group_name.as_deref())?.name.clone();
        Ok::<_, Refusal>((application, group))
    })?;
    let revision =
        input.revision.ok_or_else(|| Refusal::new("RevisionRequiredException", "The revision is missing"))?;
    let id = api::create(
        context.world,
        NewDeployment {
            application,
            group,
            config: input.deployment_config_name,
            revision: revision.new_revision()?,
            description: input.description,
            auto_rollback_override: input.auto_rollback_configuration.map(|it| it.setting()).transpose()?,
        },
    )?;
    Ok(Created { deployment_id: id })
}

pub(super) fn get(context: &Context<'_>, input: OneDeployment) -> Result<GotDeployment, Refusal> {
    let id = deployment_id(input.deployment_id)?;
    context.world.read(|state| Ok(GotDeployment { deployment_info: info(context, state, deployment(state, &id)?) }))
}

/// Ids that no deployment has are left out.
pub(super) fn batch_get(context: &Context<'_>, input: BatchGetDeployments) -> Result<GotDeployments, Refusal> {
    let ids = input.deployment_ids.unwrap_or_default();
    if ids.is_empty() {
        return Err(Refusal::new("DeploymentIdRequiredException", "The deployment IDs are missing"));
    }
    if ids.len() > 25 {
        return Err(Refusal::new("BatchLimitExceededException", "At most 25 deployments can be asked for"));
    }
    let ids = ids.into_iter().map(|id| deployment_id(Some(id))).collect::<Result<Vec<_>, _>>()?;
    context.world.read(|state| {
        let found = ids.iter().filter_map(|id| state.codedeploy.deployment(id));
        Ok(GotDeployments { deployments_info: found.map(|it| info(context, state, it)).collect() })
    })
}

/// Newest first.
pub(super) fn list(context: &Context<'_>, input: ListDeployments) -> Result<DeploymentList, Refusal> {
    let statuses = input.include_only_statuses.unwrap_or_default();
    let known = ["Created", "Queued", "InProgress", "Baking", "Succeeded", "Failed", "Stopped", "Ready"];
    if let Some(unknown) = statuses.iter().find(|status| !known.contains(&status.as_str())) {
        return Err(Refusal::new(
            "InvalidDeploymentStatusException",
            format!("{unknown} is not one of {}", known.join(", ")),
        ));
    }
    let range = input.create_time_range;
    let start = range.as_ref().and_then(|range| range.start).map(|time| time.to_world(context));
    let end = range.as_ref().and_then(|range| range.end).map(|time| time.to_world(context));
    if start.zip(end).is_some_and(|(start, end)| start > end) {
        return Err(Refusal::new("InvalidTimeRangeException", "The time range ends before it starts"));
    }
    let all = context.world.read(|state| {
        let wanted = match (input.application_name, input.deployment_group_name) {
            (None, None) => None,
            (None, Some(_)) => return Err(application_name(state, None).expect_err("no name is refused")),
            (application, name) => {
                let application = application_name(state, application)?;
                let name = group(state, &application, name.as_deref())?.name.clone();
                Some((application, name))
            }
        };
        let deployments = state.codedeploy.deployments.iter().rev();
        Ok(deployments
            .filter(|it| wanted.as_ref().is_none_or(|(app, group)| it.application == *app && it.group == *group))
            .filter(|it| statuses.is_empty() || statuses.iter().any(|status| status == it.status.name()))
            .filter(|it| start.is_none_or(|start| it.created_at >= start))
            .filter(|it| end.is_none_or(|end| it.created_at <= end))
            // No deployment here was begun by CloudFormation, so none has an external id.
            .filter(|_| input.external_id.is_none())
            .map(|it| it.id.clone())
            .collect::<Vec<_>>())
    })?;
    let (deployments, next_token) = page(context, all, input.next_token.as_deref())?;
    Ok(DeploymentList { deployments, next_token })
}

pub(super) fn stop(context: &Context<'_>, input: StopDeployment) -> Result<Stopped, Refusal> {
    let id = deployment_id(input.deployment_id)?;
    if let Some(wanted) = input.auto_rollback_enabled {
        context.world.update(|state| roll_back_on_stop(state, &id, wanted));
    }
    api::stop(context.world, &id)?;
    Ok(Stopped { status: "Pending", status_message: "The deployment is being stopped" })
}

/// What `autoRollbackEnabled` of `StopDeployment` asks for is the deployment's own rollback setting from here on.
fn roll_back_on_stop(state: &mut State, id: &str, wanted: bool) {
    let Some(setting) = state.codedeploy.deployment(id).map(|it| rollback_setting(state, it)) else { return };
    let Some(deployment) = state.codedeploy.deployment_mut(id).filter(|it| !it.status.is_final()) else { return };
    let mut events = setting.unwrap_or_default();
    events.retain(|event| *event != RollbackEvent::StopOnRequest);
    if wanted {
        events.push(RollbackEvent::StopOnRequest);
    }
    deployment.auto_rollback_override = Some((!events.is_empty()).then_some(events));
}

fn rollback_setting(state: &State, deployment: &Deployment) -> Option<Vec<RollbackEvent>> {
    let of_group =
        || state.codedeploy.group(&deployment.application, &deployment.group).and_then(|it| it.auto_rollback.clone());
    deployment.auto_rollback_override.clone().unwrap_or_else(of_group)
}

fn info(context: &Context<'_>, state: &State, deployment: &Deployment) -> DeploymentInfo {
    let group = state.codedeploy.group(&deployment.application, &deployment.group);
    let service = group.and_then(DeploymentGroup::service);
    DeploymentInfo {
        application_name: deployment.application.clone(),
        deployment_group_name: deployment.group.clone(),
        deployment_config_name: deployment.config.clone(),
        deployment_id: deployment.id.clone(),
        previous_revision: deployment.previous_revision.as_ref().map(Location::without_content),
        revision: Location::without_content(&deployment.revision),
        status: deployment.status.name(),
        error_information: deployment
            .error
            .as_ref()
            .map(|error| ErrorInformation { code: error.code, message: error.message.clone() }),
        create_time: context.time(deployment.created_at),
        start_time: deployment.started_at.map(|time| context.time(time)),
        complete_time: deployment.completed_at.map(|time| context.time(time)),
        deployment_overview: overview(deployment.status),
        description: deployment.description.clone(),
        creator: deployment.creator.name(),
        ignore_application_stop_failures: false,
        auto_rollback_configuration: AutoRollback::of(rollback_setting(state, deployment).as_deref()),
        update_outdated_instances_only: false,
        rollback_info: rollback_info(deployment),
        deployment_style: STYLE,
        instance_termination_wait_time_started: deployment.termination_wait_started,
        blue_green_deployment_configuration: service.map(BlueGreen::of),
        load_balancer_info: service.map(LoadBalancerInfo::of),
        file_exists_behavior: "DISALLOW",
        deployment_status_messages: Vec::new(),
        compute_platform: group.map_or(Platform::Ecs, DeploymentGroup::platform).name(),
    }
}

/// A deployment has one target: its service or function.
fn overview(status: DeploymentStatus) -> Overview {
    let none = Overview::default();
    match status {
        DeploymentStatus::Created => Overview { pending: 1, ..none },
        DeploymentStatus::InProgress => Overview { in_progress: 1, ..none },
        DeploymentStatus::Succeeded => Overview { succeeded: 1, ..none },
        DeploymentStatus::Failed | DeploymentStatus::Stopped => Overview { failed: 1, ..none },
    }
}

fn rollback_info(deployment: &Deployment) -> Option<RollbackInfo> {
    let message = match (&deployment.rolls_back, &deployment.rolled_back_by) {
        (None, None) => return None,
        (Some(undone), _) => format!("Deployment {} is a rollback of deployment {undone}", deployment.id),
        (None, Some(by)) => format!("Deployment {} was rolled back by deployment {by}", deployment.id),
    };
    Some(RollbackInfo {
        rollback_deployment_id: deployment.rolled_back_by.clone(),
        rollback_triggering_deployment_id: deployment.rolls_back.clone(),
        rollback_message: message,
    })
}

//! Deployments that ECS itself carries out: told, stopped, decided at a pause.

use greenlight::lifecycle_stage::LifecycleStage;
use serde::{Deserialize, Serialize};

use super::deployment_configuration::{DeploymentConfiguration, action};
use super::{Failure, cluster_arn, deployments, existing_cluster, invalid, page, short_name};
use crate::ecs::{self, api};
use crate::wire::context::{ClientTime, Context, Time};
use crate::wire::refusal::Refusal;
use crate::world::State;
use crate::world::deployment_configuration::{HookAction, HookTarget};
use crate::world::service_deployments::{HookExecution, ServiceDeployment, ServiceDeploymentStatus, StopType};
use crate::world::{ACCOUNT, REGION};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeServiceDeployments {
    service_deployment_arns: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptions {
    service_deployments: Vec<Out>,
    failures: Vec<Failure>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Out {
    #[serde(flatten)]
    brief: Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_at: Option<Time>,
    updated_at: Time,
    source_service_revisions: Vec<RevisionSummary>,
    target_service_revision: RevisionSummary,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifecycle_stage: Option<&'static str>,
    lifecycle_hook_details: Vec<HookOut>,
    deployment_configuration: DeploymentConfiguration,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollback: Option<RollbackOut>,
    deployment_circuit_breaker: Breaker,
    alarms: Alarms,
}

/// What both the list and the description have.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    service_deployment_arn: String,
    service_arn: String,
    cluster_arn: String,
    created_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<Time>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_reason: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RevisionSummary {
    arn: String,
    requested_task_count: u32,
    running_task_count: usize,
    pending_task_count: usize,
    requested_test_traffic_weight: f64,
    requested_production_traffic_weight: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HookOut {
    hook_id: String,
    target_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_arn: Option<String>,
    status: &'static str,
    expires_at: Time,
    timeout_action: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RollbackOut {
    reason: String,
    started_at: Time,
    service_revision_arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Breaker {
    status: &'static str,
    failure_count: u32,
    threshold: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alarms {
    status: &'static str,
    alarm_names: Vec<String>,
    triggered_alarm_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListServiceDeployments {
    service: Option<String>,
    cluster: Option<String>,
    status: Option<Vec<String>>,
    created_at: Option<Between>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Deserialize)]
struct Between {
    before: Option<ClientTime>,
    after: Option<ClientTime>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    service_deployments: Vec<Brief>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Brief {
    #[serde(flatten)]
    summary: Summary,
    target_service_revision_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StopServiceDeployment {
    service_deployment_arn: Option<String>,
    stop_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContinueServiceDeployment {
    service_deployment_arn: Option<String>,
    hook_id: Option<String>,
    action: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Named {
    service_deployment_arn: String,
}

pub(super) fn describe(context: &Context<'_>, input: DescribeServiceDeployments) -> Result<Descriptions, Refusal> {
    let wanted = arns(input.service_deployment_arns, "service-deployment")?;
    Ok(context.world.read(|state| {
        let mut answer = Descriptions { service_deployments: Vec::new(), failures: Vec::new() };
        for arn in wanted {
            match state.service_deployment(&arn) {
                Some(deployment) => answer.service_deployments.push(told(context, state, deployment)),
                None => answer.failures.push(Failure::missing(arn)),
            }
        }
        answer
    }))
}

/// ARNs of this kind, 20 at most.
pub(super) fn arns(wanted: Option<Vec<String>>, kind: &str) -> Result<Vec<String>, Refusal> {
    let wanted = wanted.unwrap_or_default();
    if wanted.is_empty() || wanted.len() > 20 {
        return Err(invalid("Between 1 and 20 ARNs must be specified."));
    }
    let prefix = format!("arn:aws:ecs:{REGION}:{ACCOUNT}:{kind}/");
    match wanted.iter().find(|arn| !arn.starts_with(&prefix)) {
        Some(strange) => Err(invalid(&format!("Invalid identifier: {strange}"))),
        None => Ok(wanted),
    }
}

/// The newest first, in pages of twenty.
pub(super) fn list(context: &Context<'_>, input: ListServiceDeployments) -> Result<Page, Refusal> {
    let known = ServiceDeploymentStatus::ALL.map(ServiceDeploymentStatus::name);
    if let Some(strange) = input.status.iter().flatten().find(|status| !known.contains(&status.as_str())) {
        return Err(invalid(&format!("{strange} is no status of a service deployment")));
    }
    let all = context.world.read(|state| {
        let cluster = existing_cluster(state, input.cluster.as_deref())?;
        let name = input.service.as_deref().map(short_name).unwrap_or_default();
        if state.service(&cluster, name).is_none() {
            return Err(Refusal::new("ServiceNotFoundException", "Service not found."));
        }
        let between = |it: &&ServiceDeployment| {
            let Some(Between { before, after }) = &input.created_at else { return true };
            before.is_none_or(|before| it.created_at < before.to_world(context))
                && after.is_none_or(|after| it.created_at > after.to_world(context))
        };
        let wanted = |it: &&ServiceDeployment| {
            input
                .status
                .as_ref()
                .is_none_or(|wanted| wanted.is_empty() || wanted.iter().any(|one| one == it.status.name()))
        };
        let brief = |it: &ServiceDeployment| Brief {
            summary: Summary::of(context, it),
            target_service_revision_arn: it.target.clone(),
        };
        Ok(state.deployments_of(&cluster, name).rev().filter(between).filter(wanted).map(brief).collect())
    })?;
    let (service_deployments, next_token) = page(context, all, input.next_token.as_deref(), input.max_results, 20)?;
    Ok(Page { service_deployments, next_token })
}

pub(super) fn stop(context: &Context<'_>, input: StopServiceDeployment) -> Result<Named, Refusal> {
    let how = match input.stop_type.as_deref() {
        None | Some("ROLLBACK") => StopType::Rollback,
        Some("ABORT") => StopType::Abort,
        Some(other) => return Err(invalid(&format!("{other} is neither ROLLBACK nor ABORT"))),
    };
    let arn = one(input.service_deployment_arn)?;
    api::stop(context.world, &arn, how)?;
    Ok(Named { service_deployment_arn: arn })
}

pub(super) fn decide(context: &Context<'_>, input: ContinueServiceDeployment) -> Result<Named, Refusal> {
    let arn = one(input.service_deployment_arn)?;
    let hook = input.hook_id.ok_or_else(|| invalid("hookId must be specified"))?;
    api::decide(context.world, &arn, &hook, action(input.action.as_deref(), HookAction::Continue)?)?;
    Ok(Named { service_deployment_arn: arn })
}

fn one(arn: Option<String>) -> Result<String, Refusal> {
    let mut arns = arns(Some(arn.into_iter().collect()), "service-deployment")?;
    Ok(arns.swap_remove(0))
}

fn told(context: &Context<'_>, state: &State, deployment: &ServiceDeployment) -> Out {
    let green = (deployment.test_share, deployment.production_share);
    let blue = (100.0 - green.0, 100.0 - green.1);
    let configuration = &deployment.settings.configuration;
    let desired = state.service(&deployment.cluster, &deployment.service).map_or(0, |service| service.desired_count);
    let of_stage = deployment.hooks.iter().filter(|hook| Some(hook.stage) == deployment.stage);
    Out {
        brief: Summary::of(context, deployment),
        stopped_at: deployment
            .finished_at
            .filter(|_| deployment.status == ServiceDeploymentStatus::Stopped)
            .map(|time| context.time(time)),
        updated_at: context.time(deployment.updated_at),
        source_service_revisions: deployment.sources.iter().map(|arn| RevisionSummary::of(state, arn, blue)).collect(),
        target_service_revision: RevisionSummary::of(state, &deployment.target, green),
        lifecycle_stage: deployment.stage.map(LifecycleStage::name),
        lifecycle_hook_details: of_stage.map(|hook| HookOut::of(context, hook)).collect(),
        deployment_configuration: DeploymentConfiguration::of(Some(configuration)),
        rollback: deployment.rollback.as_ref().map(|rollback| RollbackOut {
            reason: rollback.reason.clone(),
            started_at: context.time(rollback.started_at),
            service_revision_arn: rollback.revision.clone(),
        }),
        deployment_circuit_breaker: Breaker {
            status: monitor(
                deployment,
                configuration.circuit_breaker.is_some(),
                deployment.failed_tasks >= ecs::threshold(desired),
            ),
            failure_count: deployment.failed_tasks,
            threshold: ecs::threshold(desired),
        },
        alarms: Alarms {
            status: monitor(deployment, configuration.alarms.is_some(), !deployment.triggered_alarms.is_empty()),
            alarm_names: configuration.alarms.as_ref().map(|alarms| alarms.names.clone()).unwrap_or_default(),
            triggered_alarm_names: deployment.triggered_alarms.clone(),
        },
    }
}

/// `ServiceDeploymentRollbackMonitorsStatus`.
fn monitor(deployment: &ServiceDeployment, enabled: bool, triggered: bool) -> &'static str {
    match (enabled, triggered, deployment.status.is_final()) {
        (false, ..) => "DISABLED",
        (true, true, _) => "TRIGGERED",
        (true, false, true) => "MONITORING_COMPLETE",
        (true, false, false) => "MONITORING",
    }
}

impl Summary {
    fn of(context: &Context<'_>, deployment: &ServiceDeployment) -> Self {
        let ServiceDeployment { cluster, service, .. } = deployment;
        Self {
            service_deployment_arn: deployment.arn.clone(),
            service_arn: format!("arn:aws:ecs:{REGION}:{ACCOUNT}:service/{cluster}/{service}"),
            cluster_arn: cluster_arn(cluster),
            created_at: context.time(deployment.created_at),
            started_at: deployment.started_at.map(|time| context.time(time)),
            finished_at: deployment.finished_at.map(|time| context.time(time)),
            status: deployment.status.name(),
            status_reason: deployment.status_reason.clone(),
        }
    }
}

impl RevisionSummary {
    fn of(state: &State, arn: &str, (test, production): (f64, f64)) -> Self {
        let (requested, running, pending) =
            state.service_revision(arn).map_or((0, 0, 0), |revision| deployments::tasks(state, revision));
        Self {
            arn: arn.to_owned(),
            requested_task_count: requested,
            running_task_count: running,
            pending_task_count: pending,
            requested_test_traffic_weight: test,
            requested_production_traffic_weight: production,
        }
    }
}

impl HookOut {
    fn of(context: &Context<'_>, hook: &HookExecution) -> Self {
        let (target_type, target_arn) = match &hook.target {
            HookTarget::Function { arn, .. } => ("AWS_LAMBDA", Some(arn.clone())),
            HookTarget::Pause => ("PAUSE", None),
        };
        Self {
            hook_id: hook.id.clone(),
            target_type,
            target_arn,
            status: hook.status.name(),
            expires_at: context.time(hook.expires_at),
            timeout_action: hook.timeout_action.name(),
        }
    }
}

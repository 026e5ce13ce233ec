//! What a client may ask of ECS about the deployments that it carries out: begin one, stop one, decide at a pause.

use greenlight::lifecycle_stage::LifecycleStage;

use crate::codedeploy::api::ApiError;
use crate::world::deployment_configuration::{
    Controller, DeploymentConfiguration, HookAction, HookTarget, NativeService,
};
use crate::world::journal::Who;
use crate::world::service_deployments::{
    HookStatus, ServiceDeployment, ServiceDeploymentStatus, ServiceRevision, StopType, arn_of_service,
};
use crate::world::services::{Service, TaskDefinition, TaskSetStatus};
use crate::world::{State, World};

/// What `UpdateService` is given; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// Cluster.
    pub cluster: String,
    /// Service.
    pub service: String,
    /// The task definition to run: ARN, `family:revision` or family.
    pub task_definition: Option<String>,
    /// How deployments are carried out from now on.
    pub configuration: Option<DeploymentConfiguration>,
    /// Tasks wanted.
    pub desired_count: Option<u32>,
    /// Whether the version that runs is deployed again.
    pub force: bool,
}

/// Changes a service. The ARN of the deployment that this begins, where it begins one: the engine takes it from there.
pub fn update(world: &World, update: Update) -> Result<Option<String>, ApiError> {
    let now = world.now();
    world.update(|state| {
        let service = state.service(&update.cluster, &update.service).cloned().ok_or_else(service_not_found)?;
        let Some(native) = service.controller.native().cloned() else {
            if update.task_definition.is_none() && !update.force {
                resize(state, &update);
                return Ok(None);
            }
            return Err(ApiError::new(
                "InvalidParameterException",
                "Unable to update task definition on services with a CODE_DEPLOY deployment controller. Use AWS CodeDeploy \
                 to trigger a new deployment.",
            ));
        };
        let wanted = update.task_definition.as_deref().map(|name| active(state, name)).transpose()?;
        let settings = NativeService { configuration: update.configuration.clone().unwrap_or(native.configuration), ..native };
        if let Some(service) = state.service_mut(&update.cluster, &update.service) {
            service.controller = Controller::Ecs(Box::new(settings.clone()));
        }
        resize(state, &update);
        let present = configured_task_definition(state, &service);
        let wanted = wanted.filter(|wanted| update.force || Some(wanted) != present.as_ref());
        let Some(task_definition) = wanted.or(present.filter(|_| update.force)) else { return Ok(None) };
        for running in state.service_deployments.iter_mut().filter(|it| it.cluster == service.cluster) {
            if running.service == service.name && !running.status.is_final() {
                running.stop_requested.get_or_insert(StopType::Replaced);
            }
        }
        Ok(Some(begin(state, &service, settings, task_definition, now)))
    })
}

/// Every revision that runs has as many tasks as are wanted.
fn resize(state: &mut State, update: &Update) {
    let (Some(service), Some(wanted)) = (state.service_mut(&update.cluster, &update.service), update.desired_count)
    else {
        return;
    };
    service.desired_count = wanted;
    for set in service.task_sets.iter_mut().filter(|set| set.status != TaskSetStatus::Draining) {
        set.desired = wanted;
    }
}

/// Files a revision and its deployment, which is still to be taken up.
fn begin(
    state: &mut State,
    service: &Service,
    settings: NativeService,
    task_definition: String,
    now: jiff::Timestamp,
) -> String {
    let blue = service.primary().map(|set| set.target_group.clone());
    // The two take turns.
    let target_group = if blue.as_ref() == Some(&settings.target_group) {
        settings.alternate_target_group.clone()
    } else {
        settings.target_group.clone()
    };
    let revision = new_revision(service, task_definition, target_group, now);
    let target = revision.arn.clone();
    state.service_revisions.push(revision);
    let arn = arn_of_service("service-deployment", &service.cluster, &service.name, &new_id());
    state.service_deployments.push(ServiceDeployment {
        arn: arn.clone(),
        cluster: service.cluster.clone(),
        service: service.name.clone(),
        sources: Vec::new(),
        target,
        settings,
        status: ServiceDeploymentStatus::Pending,
        status_reason: None,
        stage: None,
        stages: Vec::new(),
        hooks: Vec::new(),
        test_share: 0.0,
        production_share: 0.0,
        created_at: now,
        started_at: None,
        finished_at: None,
        updated_at: now,
        rollback: None,
        triggered_alarms: Vec::new(),
        failed_tasks: 0,
        stop_requested: None,
    });
    arn
}

/// A revision of a service that is to run in this target group.
pub fn new_revision(
    service: &Service,
    task_definition: String,
    target_group: String,
    now: jiff::Timestamp,
) -> ServiceRevision {
    let number = || uuid::Uuid::new_v4().as_u128() % 10_u128.pow(19);
    ServiceRevision {
        arn: arn_of_service("service-revision", &service.cluster, &service.name, &format!("{:019}", number())),
        cluster: service.cluster.clone(),
        service: service.name.clone(),
        task_definition,
        target_group,
        task_set: format!("ecs-svc/{:019}", number()),
        created_at: now,
    }
}

/// The task definition that a service is meant to run: that of the last deployment, or of what it went back to.
pub fn configured_task_definition(state: &State, service: &Service) -> Option<String> {
    let last = state.deployments_of(&service.cluster, &service.name).next_back();
    let revision = last.and_then(|it| if it.status.goes_back() { it.source() } else { Some(it.target.as_str()) });
    let configured = revision.and_then(|arn| state.service_revision(arn)).map(|it| it.task_definition.clone());
    configured.or_else(|| service.primary().map(|set| set.task_definition.clone()))
}

/// Asks a deployment to stop. One that has not begun has nothing to lead back, and is stopped at once.
pub fn stop(world: &World, arn: &str, how: StopType) -> Result<(), ApiError> {
    let now = world.now();
    let never_began = world.update(|state| {
        let deployment = state.service_deployment_mut(arn).ok_or_else(deployment_not_found)?;
        let waits = deployment.status == ServiceDeploymentStatus::Pending;
        let runs = deployment.status == ServiceDeploymentStatus::InProgress;
        let cleans_up = deployment.stage == Some(LifecycleStage::CleanUp);
        if !(waits || runs) || cleans_up || deployment.stop_requested.is_some() {
            let at = if cleans_up { LifecycleStage::CleanUp.name() } else { deployment.status.name() };
            let message = format!("The service deployment cannot be stopped: it is {at}.");
            return Err(ApiError::new("ConflictException", message));
        }
        deployment.stop_requested = Some(how);
        deployment.updated_at = now;
        if waits {
            deployment.status = ServiceDeploymentStatus::Stopped;
            deployment.status_reason = Some(NEVER_BEGAN.to_owned());
            deployment.finished_at = Some(now);
            return Ok(Some(deployment.id().to_owned()));
        }
        deployment.status = match how {
            StopType::Rollback => ServiceDeploymentStatus::RollbackRequested,
            StopType::Abort | StopType::Replaced => ServiceDeploymentStatus::StopRequested,
        };
        Ok(None)
    })?;
    if let Some(id) = never_began {
        world.say(Who::Deployment, format!("service deployment {id} is STOPPED: {NEVER_BEGAN}"));
    }
    Ok(())
}

const NEVER_BEGAN: &str = "it was stopped before it began";

/// A person decides at a pause: `ContinueServiceDeployment`.
pub fn decide(world: &World, arn: &str, hook: &str, action: HookAction) -> Result<(), ApiError> {
    world.update(|state| {
        let deployment = state.service_deployment_mut(arn).ok_or_else(deployment_not_found)?;
        let runs = deployment.status == ServiceDeploymentStatus::InProgress;
        let waits = deployment
            .hook_mut(hook)
            .filter(|it| runs && it.target == HookTarget::Pause && it.status == HookStatus::AwaitingAction);
        let Some(pause) = waits else {
            let message = format!("The lifecycle hook {hook} is not in the AWAITING_ACTION state.");
            return Err(ApiError::new("InvalidParameterException", message));
        };
        pause.decision = Some(action);
        Ok(())
    })
}

/// The ARN of a task definition that can be run.
fn active(state: &State, name: &str) -> Result<String, ApiError> {
    let found =
        state.task_definition(name).ok_or_else(|| ApiError::new("ClientException", "TaskDefinition not found."))?;
    if found.active {
        Ok(TaskDefinition::arn(found))
    } else {
        Err(ApiError::new("ClientException", "TaskDefinition is inactive"))
    }
}

fn service_not_found() -> ApiError {
    ApiError::new("ServiceNotFoundException", "Service not found.")
}

fn deployment_not_found() -> ApiError {
    ApiError::new("ServiceDeploymentNotFoundException", "Service deployment not found.")
}

/// 21 letters and digits.
fn new_id() -> String {
    let [first, second] = [(); 2].map(|()| uuid::Uuid::new_v4().simple().to_string());
    (first + &second).chars().take(21).collect()
}

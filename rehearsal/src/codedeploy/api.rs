//! What a client may ask of CodeDeploy: begin a deployment, stop one, answer a hook.

use std::time::Instant;

use greenlight::appspec::AnyAppSpec;
use sha2::{Digest, Sha256};

use crate::world::deployments::{
    Creator, Deployment, DeploymentStatus, EventStatus, LifecycleEvent, Platform, Revision, RevisionLocation,
    RollbackEvent, Trial,
};
use crate::world::{State, World};

/// The lifecycle events of an ECS deployment in their order, and whether a function can be called at them.
/// <https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html>
pub const EVENTS: [(&str, bool); 8] = [
    ("BeforeInstall", true),
    ("Install", false),
    ("AfterInstall", true),
    ("AllowTestTraffic", false),
    ("AfterAllowTestTraffic", true),
    ("BeforeAllowTraffic", true),
    ("AllowTraffic", false),
    ("AfterAllowTraffic", true),
];

/// As [`EVENTS`], of a function's deployment.
pub const EVENTS_OF_FUNCTIONS: [(&str, bool); 3] =
    [("BeforeAllowTraffic", true), ("AllowTraffic", false), ("AfterAllowTraffic", true)];

/// A refusal in AWS's words: the modelled error's name and a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// `DeploymentDoesNotExistException`, …
    pub code: &'static str,
    /// In words.
    pub message: String,
}

impl ApiError {
    /// A refusal.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// What `CreateDeployment` is given.
#[derive(Clone, Debug)]
pub struct NewDeployment {
    /// Application.
    pub application: String,
    /// Group.
    pub group: String,
    /// Deployment configuration; the group's when `None`.
    pub config: Option<String>,
    /// What to deploy.
    pub revision: NewRevision,
    /// Free text.
    pub description: Option<String>,
    /// Its own automatic rollback setting: `Some(None)` switches it off.
    pub auto_rollback_override: Option<Option<Vec<RollbackEvent>>>,
}

/// Where the AppSpec of a new deployment is.
#[derive(Clone, Debug)]
pub enum NewRevision {
    /// The text itself, and its SHA-256 in hex when the client gives it.
    Inline {
        /// The AppSpec.
        content: String,
        /// Must be that of the content.
        sha256: Option<String>,
    },
    /// An object in S3, which must hold the plain AppSpec.
    S3 {
        /// Bucket.
        bucket: String,
        /// Key.
        key: String,
        /// `YAML` or `JSON`.
        bundle_type: String,
        /// Version of the object; the newest without one.
        version: Option<String>,
    },
}

/// Begins a deployment and returns its id. The engine takes it from there.
pub fn create(world: &World, request: NewDeployment) -> Result<String, ApiError> {
    let now = world.now();
    world.update(|state| {
        let revision = register(state, &request.application, &request.revision, now)?;
        let group = state.codedeploy.group(&request.application, &request.group).ok_or_else(|| {
            ApiError::new(
                "DeploymentGroupDoesNotExistException",
                format!("No Deployment Group found for name: {}", request.group),
            )
        })?;
        let platform = platform(&revision);
        if group.platform() != platform {
            let message = format!("The AppSpec file is for {}, the deployment group is not", platform.name());
            return Err(ApiError::new("InvalidRevisionException", message));
        }
        let config = request.config.clone().unwrap_or_else(|| group.config.clone());
        if state.codedeploy.config(&config).is_none() {
            return Err(ApiError::new(
                "DeploymentConfigDoesNotExistException",
                format!("No Deployment Configuration found for name: {config}"),
            ));
        }
        let of_group = |it: &&Deployment| it.application == request.application && it.group == request.group;
        if let Some(active) = state.codedeploy.deployments.iter().filter(of_group).find(|it| !it.status.is_final()) {
            return Err(ApiError::new(
                "DeploymentLimitExceededException",
                format!("The Deployment Group '{}' already has an active Deployment '{}'", request.group, active.id),
            ));
        }
        let previous = state
            .codedeploy
            .deployments
            .iter()
            .rev()
            .filter(of_group)
            .find(|it| it.status == DeploymentStatus::Succeeded)
            .map(|it| it.revision.clone());
        let deployment = Deployment {
            id: new_id(),
            application: request.application.clone(),
            group: request.group.clone(),
            config,
            events: events(&revision),
            revision: revision.location,
            previous_revision: previous,
            creator: Creator::User,
            status: DeploymentStatus::Created,
            description: request.description.clone(),
            created_at: now,
            started_at: None,
            completed_at: None,
            error: None,
            rolls_back: None,
            rolled_back_by: None,
            auto_rollback_override: request.auto_rollback_override.clone(),
            blue: None,
            green: None,
            green_percent: 0,
            termination_wait_started: false,
            stop_requested: false,
        };
        let id = deployment.id.clone();
        state.codedeploy.deployments.push(deployment);
        Ok(id)
    })
}

/// Asks a deployment to stop. `false` when it has ended already.
pub fn stop(world: &World, id: &str) -> Result<bool, ApiError> {
    world.update(|state| {
        let deployment = state.codedeploy.deployment_mut(id).ok_or_else(|| unknown(id))?;
        if deployment.status.is_final() {
            return Err(ApiError::new(
                "DeploymentAlreadyCompletedException",
                format!("The deployment {id} has already completed with status {}", deployment.status.name()),
            ));
        }
        deployment.stop_requested = true;
        Ok(true)
    })
}

/// A hook's answer: `PutLifecycleEventHookExecutionStatus`.
pub fn answer_hook(world: &World, id: &str, execution_id: &str, succeeded: bool) -> Result<(), ApiError> {
    let now = world.now();
    world.update(|state| {
        let over = state.codedeploy.deployment(id).is_none_or(|deployment| deployment.status.is_final());
        if let Some(trial) = state.codedeploy.trials.get_mut(execution_id).filter(|trial| trial.deployment == id) {
            return answer_trial(trial, succeeded, over);
        }
        let deployment = state.codedeploy.deployment_mut(id).ok_or_else(|| unknown(id))?;
        let event = deployment.events.iter_mut().find(|event| event.hook_execution_id.as_deref() == Some(execution_id));
        let Some(event) = event else {
            return Err(ApiError::new(
                "InvalidLifecycleEventHookExecutionIdException",
                "The lifecycle event hook execution ID is not valid",
            ));
        };
        if event.status != EventStatus::InProgress {
            return Err(ApiError::new(
                "LifecycleEventAlreadyCompletedException",
                format!("The lifecycle event {} has already completed", event.name),
            ));
        }
        event.status = if succeeded { EventStatus::Succeeded } else { EventStatus::Failed };
        event.ended_at = Some(now);
        Ok(())
    })
}

/// As of an event: the first answer counts, and none once the deployment is over.
fn answer_trial(trial: &mut Trial, succeeded: bool, over: bool) -> Result<(), ApiError> {
    if over || trial.answer.is_some() {
        trial.refused += 1;
        return Err(ApiError::new(
            "LifecycleEventAlreadyCompletedException",
            "The lifecycle event has already completed".to_owned(),
        ));
    }
    trial.answer = Some((succeeded, Instant::now()));
    Ok(())
}

/// `DeploymentDoesNotExistException`.
pub fn unknown(id: &str) -> ApiError {
    ApiError::new("DeploymentDoesNotExistException", format!("The deployment {id} could not be found"))
}

/// `d-` and nine letters and digits.
pub fn new_id() -> String {
    let letters: String = uuid::Uuid::new_v4().simple().to_string().to_uppercase().chars().take(9).collect();
    format!("d-{letters}")
}

/// Files the revision if it is new.
pub(crate) fn register(
    state: &mut State,
    application: &str,
    revision: &NewRevision,
    now: jiff::Timestamp,
) -> Result<Revision, ApiError> {
    if !state.codedeploy.applications.iter().any(|it| it == application) {
        return Err(ApiError::new(
            "ApplicationDoesNotExistException",
            format!("No application found for name: {application}"),
        ));
    }
    let (location, content) = match revision {
        NewRevision::Inline { content, sha256 } => {
            let actual = sha256_hex(content.as_bytes());
            if sha256.as_ref().is_some_and(|given| !given.eq_ignore_ascii_case(&actual)) {
                return Err(ApiError::new(
                    "InvalidRevisionException",
                    "The sha256 of the AppSpec content does not match the content",
                ));
            }
            (RevisionLocation::Inline { sha256: actual }, content.clone())
        }
        NewRevision::S3 { bucket, key, bundle_type, version } => {
            let object = state.stores.objects.get(&(bucket.clone(), key.clone()));
            let object = object.filter(|object| version.as_ref().is_none_or(|version| *version == object.version()));
            let object = object.ok_or_else(|| {
                ApiError::new("RevisionDoesNotExistException", format!("No object s3://{bucket}/{key} was found"))
            })?;
            let content = String::from_utf8(object.body.clone())
                .map_err(|_| ApiError::new("InvalidRevisionException", "The AppSpec file is not UTF-8 text"))?;
            let location = RevisionLocation::S3 {
                bucket: bucket.clone(),
                key: key.clone(),
                bundle_type: bundle_type.clone(),
                version: version.clone(),
                e_tag: None,
            };
            (location, content)
        }
    };
    AnyAppSpec::parse(&content, "AppSpec").map_err(|error| {
        ApiError::new("InvalidRevisionException", format!("The AppSpec file could not be read: {error}"))
    })?;
    if let Some(known) = state.codedeploy.revision(application, &location) {
        return Ok(known.clone());
    }
    let revision = Revision { application: application.to_owned(), location, content, registered_at: now };
    state.codedeploy.revisions.push(revision.clone());
    Ok(revision)
}

/// The AppSpec of a filed revision.
pub(crate) fn app_spec(revision: &Revision) -> AnyAppSpec {
    AnyAppSpec::parse(&revision.content, "AppSpec").expect("only readable AppSpecs are filed")
}

/// The lifecycle events of a deployment of this revision, none reached.
pub(crate) fn events(revision: &Revision) -> Vec<LifecycleEvent> {
    let spec = app_spec(revision);
    let events: &[(&'static str, bool)] = match spec {
        AnyAppSpec::Service(_) => &EVENTS,
        AnyAppSpec::Function(_) => &EVENTS_OF_FUNCTIONS,
    };
    let hooks = spec.hooks();
    events
        .iter()
        .map(|(name, _)| LifecycleEvent {
            name,
            status: EventStatus::Pending,
            started_at: None,
            ended_at: None,
            function: hooks.iter().find(|(event, _)| event == name).map(|(_, function)| function.clone()),
            hook_execution_id: None,
            diagnostics: None,
        })
        .collect()
}

fn platform(revision: &Revision) -> Platform {
    match app_spec(revision) {
        AnyAppSpec::Service(_) => Platform::Ecs,
        AnyAppSpec::Function(_) => Platform::Lambda,
    }
}

fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

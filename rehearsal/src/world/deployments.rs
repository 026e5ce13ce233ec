//! CodeDeploy's records: applications, groups, configurations, revisions, deployments.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Everything CodeDeploy knows.
#[derive(Default)]
pub struct CodeDeploy {
    /// Application names.
    pub applications: Vec<String>,
    /// Deployment groups.
    pub groups: Vec<DeploymentGroup>,
    /// Deployment configurations: predefined and custom.
    pub configs: Vec<DeploymentConfig>,
    /// Revisions that were deployed or registered.
    pub revisions: Vec<Revision>,
    /// Deployments, oldest first.
    pub deployments: Vec<Deployment>,
    /// The lifecycle event at which a deployment stands still: nobody is called there, and it waits for ever.
    pub parked_at: Option<String>,
    /// Executions of a hook beside the one that its event waits for, by their ids: what they answer moves no deployment.
    pub trials: BTreeMap<String, Trial>,
}

/// An execution of a hook that only tries it.
#[derive(Clone, Debug, Default)]
pub struct Trial {
    /// The deployment that it is asked about.
    pub deployment: String,
    /// The answer that was taken: whether it was `Succeeded`, and when, in real time.
    pub answer: Option<(bool, Instant)>,
    /// How many answers came after that, and were refused.
    pub refused: usize,
}

/// CodeDeploy's compute platforms, but servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Services.
    Ecs,
    /// Functions.
    Lambda,
}

impl Platform {
    /// As CodeDeploy writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ecs => "ECS",
            Self::Lambda => "Lambda",
        }
    }
}

/// A deployment group.
#[derive(Clone, Debug)]
pub struct DeploymentGroup {
    /// Application.
    pub application: String,
    /// Name.
    pub name: String,
    /// Deployment configuration it uses when a deployment names none.
    pub config: String,
    /// What it deploys.
    pub target: GroupTarget,
    /// Automatic rollback: `None` when it is off, else its events.
    pub auto_rollback: Option<Vec<RollbackEvent>>,
    /// Names of the alarms that stop a deployment.
    pub alarms: Vec<String>,
    /// Whether the alarms are looked at.
    pub alarms_enabled: bool,
}

/// What a deployment group deploys.
#[derive(Clone, Debug)]
pub enum GroupTarget {
    /// This service.
    Service(ServiceTarget),
    /// The function that the AppSpec names.
    Function,
}

/// The service of a deployment group, and how users reach it.
#[derive(Clone, Debug)]
pub struct ServiceTarget {
    /// Cluster of the service.
    pub cluster: String,
    /// Service.
    pub service: String,
    /// Names of the two target groups.
    pub target_groups: [String; 2],
    /// ARN of the production listener.
    pub production_listener: String,
    /// ARN of the test listener, where there is one.
    pub test_listener: Option<String>,
    /// How long blue is kept after the shift.
    pub termination_wait: Duration,
}

impl DeploymentGroup {
    /// The service it deploys; `None` when it deploys functions.
    pub fn service(&self) -> Option<&ServiceTarget> {
        match &self.target {
            GroupTarget::Service(service) => Some(service),
            GroupTarget::Function => None,
        }
    }

    /// Its platform.
    pub fn platform(&self) -> Platform {
        match self.target {
            GroupTarget::Service(_) => Platform::Ecs,
            GroupTarget::Function => Platform::Lambda,
        }
    }
}

/// What starts an automatic rollback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RollbackEvent {
    /// `DEPLOYMENT_FAILURE`.
    Failure,
    /// `DEPLOYMENT_STOP_ON_ALARM`.
    StopOnAlarm,
    /// `DEPLOYMENT_STOP_ON_REQUEST`.
    StopOnRequest,
}

impl RollbackEvent {
    /// As CodeDeploy writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Failure => "DEPLOYMENT_FAILURE",
            Self::StopOnAlarm => "DEPLOYMENT_STOP_ON_ALARM",
            Self::StopOnRequest => "DEPLOYMENT_STOP_ON_REQUEST",
        }
    }
}

/// A deployment configuration.
#[derive(Clone, Debug)]
pub struct DeploymentConfig {
    /// Name.
    pub name: String,
    /// What it is for.
    pub platform: Platform,
    /// How traffic moves.
    pub routing: Routing,
}

/// How production traffic moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing {
    /// At once.
    AllAtOnce,
    /// `percent`, then after `interval` the rest.
    Canary {
        /// First share.
        percent: u32,
        /// Wait before the rest.
        interval: Duration,
    },
    /// `percent` more every `interval`.
    Linear {
        /// Share of a step.
        percent: u32,
        /// Wait between steps.
        interval: Duration,
    },
}

/// A revision: an AppSpec.
#[derive(Clone, Debug)]
pub struct Revision {
    /// Application.
    pub application: String,
    /// Where its text is.
    pub location: RevisionLocation,
    /// The text of the AppSpec.
    pub content: String,
    /// Registered when.
    pub registered_at: Timestamp,
}

/// Where a revision's AppSpec is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevisionLocation {
    /// `AppSpecContent`, known by the hex SHA-256 of its content.
    Inline {
        /// 64 hex digits.
        sha256: String,
    },
    /// An object in S3.
    S3 {
        /// Bucket.
        bucket: String,
        /// Key.
        key: String,
        /// `YAML`, `JSON`, `zip`, …
        bundle_type: String,
        /// Version of the object.
        version: Option<String>,
        /// Its entity tag.
        e_tag: Option<String>,
    },
}

/// A deployment.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// `d-` and nine letters and digits.
    pub id: String,
    /// Application.
    pub application: String,
    /// Group.
    pub group: String,
    /// Deployment configuration in force.
    pub config: String,
    /// What is deployed.
    pub revision: RevisionLocation,
    /// The revision deployed before, where there is one.
    pub previous_revision: Option<RevisionLocation>,
    /// Who started it.
    pub creator: Creator,
    /// Where it is.
    pub status: DeploymentStatus,
    /// Free text given at creation.
    pub description: Option<String>,
    /// Created when.
    pub created_at: Timestamp,
    /// Begun when.
    pub started_at: Option<Timestamp>,
    /// Ended when.
    pub completed_at: Option<Timestamp>,
    /// Why it failed or was stopped.
    pub error: Option<DeploymentError>,
    /// The deployment it undoes.
    pub rolls_back: Option<String>,
    /// The deployment that undoes it.
    pub rolled_back_by: Option<String>,
    /// Its own automatic rollback setting; the group's when `None`.
    pub auto_rollback_override: Option<Option<Vec<RollbackEvent>>>,
    /// Its lifecycle events in the documented order.
    pub events: Vec<LifecycleEvent>,
    /// Task set, or version of the function, that served when it began.
    pub blue: Option<String>,
    /// Task set it made, or version of the function that it deploys.
    pub green: Option<String>,
    /// Share of production traffic on green, in percent.
    pub green_percent: u32,
    /// Whether blue only lives because its termination wait is not over.
    pub termination_wait_started: bool,
    /// Whether somebody asked to stop it.
    pub stop_requested: bool,
}

/// Who started a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creator {
    /// `user`.
    User,
    /// `codeDeployRollback`.
    CodeDeployRollback,
}

impl Creator {
    /// As CodeDeploy writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::CodeDeployRollback => "codeDeployRollback",
        }
    }
}

/// `DeploymentStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeploymentStatus {
    /// Made, not begun.
    Created,
    /// Under way.
    InProgress,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
    /// Stopped by an alarm or by a person.
    Stopped,
}

impl DeploymentStatus {
    /// As CodeDeploy writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::InProgress => "InProgress",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Stopped => "Stopped",
        }
    }

    /// Whether nothing more will happen.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Stopped)
    }
}

/// Why a deployment failed: `ErrorCode` and a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentError {
    /// `HOOK_EXECUTION_FAILURE`, `ALARM_ACTIVE`, `MANUAL_STOP`, `TIMEOUT`, …
    pub code: &'static str,
    /// In words.
    pub message: String,
}

/// A lifecycle event of the deployment's target.
#[derive(Clone, Debug)]
pub struct LifecycleEvent {
    /// `BeforeInstall`, `Install`, …
    pub name: &'static str,
    /// Where it is.
    pub status: EventStatus,
    /// Begun when.
    pub started_at: Option<Timestamp>,
    /// Ended when.
    pub ended_at: Option<Timestamp>,
    /// The function that is called at it, where the AppSpec names one.
    pub function: Option<String>,
    /// The id its answer must name; given when the function is called.
    pub hook_execution_id: Option<String>,
    /// Why it failed.
    pub diagnostics: Option<String>,
}

/// `LifecycleEventStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventStatus {
    /// Not reached.
    Pending,
    /// Under way.
    InProgress,
    /// Done.
    Succeeded,
    /// Failed.
    Failed,
    /// Left out.
    Skipped,
}

impl EventStatus {
    /// As CodeDeploy writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InProgress => "InProgress",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Skipped => "Skipped",
        }
    }
}

impl CodeDeploy {
    /// The deployment with this id.
    pub fn deployment(&self, id: &str) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.id == id)
    }

    /// As [`CodeDeploy::deployment`], to change it.
    pub fn deployment_mut(&mut self, id: &str) -> Option<&mut Deployment> {
        self.deployments.iter_mut().find(|deployment| deployment.id == id)
    }

    /// The group with this application and name.
    pub fn group(&self, application: &str, name: &str) -> Option<&DeploymentGroup> {
        self.groups.iter().find(|group| group.application == application && group.name == name)
    }

    /// The configuration with this name.
    pub fn config(&self, name: &str) -> Option<&DeploymentConfig> {
        self.configs.iter().find(|config| config.name == name)
    }

    /// The revision kept at this place.
    pub fn revision(&self, application: &str, location: &RevisionLocation) -> Option<&Revision> {
        self.revisions.iter().find(|it| it.application == application && it.location == *location)
    }
}

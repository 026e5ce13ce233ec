//! Deployments that ECS itself carries out: service deployments, service revisions, and what became of their hooks.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html>

use greenlight::lifecycle_stage::LifecycleStage;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::deployment_configuration::{HookAction, HookTarget, NativeService};
use super::{ACCOUNT, REGION, State};

/// A service revision: one version of everything that a service deploys. Its tasks are those of a task set.
#[derive(Clone, Debug)]
pub struct ServiceRevision {
    /// ARN.
    pub arn: String,
    /// Cluster.
    pub cluster: String,
    /// Service.
    pub service: String,
    /// ARN of its task definition.
    pub task_definition: String,
    /// ARN of the target group that its tasks are registered in.
    pub target_group: String,
    /// The id of its task set, `ecs-svc/…`: that of the deployment in the service's `deployments`. It stays when the task set
    /// is gone.
    pub task_set: String,
    /// Created when.
    pub created_at: Timestamp,
}

/// A service deployment.
#[derive(Clone, Debug)]
pub struct ServiceDeployment {
    /// ARN.
    pub arn: String,
    /// Cluster.
    pub cluster: String,
    /// Service.
    pub service: String,
    /// ARNs of the revisions that ran when it began: blue first.
    pub sources: Vec<String>,
    /// ARN of the revision that is deployed: green.
    pub target: String,
    /// The service's settings when it began.
    pub settings: NativeService,
    /// Where it is.
    pub status: ServiceDeploymentStatus,
    /// Why it is there, in words.
    pub status_reason: Option<String>,
    /// The stage it is at.
    pub stage: Option<LifecycleStage>,
    /// The stages it has reached, in that order; of a stepwise shift each once.
    pub stages: Vec<StageRecord>,
    /// Executions of hooks, oldest first.
    pub hooks: Vec<HookExecution>,
    /// Green's share of test traffic, in percent.
    pub test_share: f64,
    /// Green's share of production, in percent.
    pub production_share: f64,
    /// Created when.
    pub created_at: Timestamp,
    /// Begun when.
    pub started_at: Option<Timestamp>,
    /// Ended when, stopped or not.
    pub finished_at: Option<Timestamp>,
    /// Changed when.
    pub updated_at: Timestamp,
    /// The way back, where it was taken.
    pub rollback: Option<Rollback>,
    /// Alarms of it that fired.
    pub triggered_alarms: Vec<String>,
    /// How often a task of green failed in a row, where the circuit breaker counts.
    pub failed_tasks: u32,
    /// Somebody asked for its end.
    pub stop_requested: Option<StopType>,
}

/// A stage that a deployment has reached.
#[derive(Clone, Debug)]
pub struct StageRecord {
    /// Which.
    pub stage: LifecycleStage,
    /// How it is.
    pub status: StageStatus,
    /// Begun when.
    pub started_at: Timestamp,
    /// Ended when; the last time, of a stage that is reached at every step.
    pub ended_at: Option<Timestamp>,
}

/// How a stage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageStatus {
    /// Under way.
    InProgress,
    /// Done.
    Succeeded,
    /// The deployment failed in it.
    Failed,
}

impl StageStatus {
    /// In words that match CodeDeploy's.
    pub fn name(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }
}

/// The way back.
#[derive(Clone, Debug)]
pub struct Rollback {
    /// Why.
    pub reason: String,
    /// Begun when.
    pub started_at: Timestamp,
    /// ARN of the revision that serves again.
    pub revision: String,
}

/// One execution of a hook: of a stage, and of one step of it.
#[derive(Clone, Debug)]
pub struct HookExecution {
    /// `hookId`.
    pub id: String,
    /// At which stage.
    pub stage: LifecycleStage,
    /// Whether it was called for a rollback.
    pub rolls_back: bool,
    /// What it is.
    pub target: HookTarget,
    /// How it stands.
    pub status: HookStatus,
    /// When ECS gives it up.
    pub expires_at: Timestamp,
    /// What ECS does then.
    pub timeout_action: HookAction,
    /// What its last answer added to `hookDetails`, merged with what it had.
    pub details: Option<Map<String, Value>>,
    /// How often it was invoked.
    pub invocations: u32,
    /// What a person decided, of a pause.
    pub decision: Option<HookAction>,
}

/// `DeploymentLifecycleHookStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookStatus {
    /// A pause waits for a person.
    AwaitingAction,
    /// A function works, or is called again.
    InProgress,
    /// Done.
    Succeeded,
    /// It said no, or nothing that counts.
    Failed,
    /// It was given up.
    TimedOut,
}

impl HookStatus {
    /// As ECS writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AwaitingAction => "AWAITING_ACTION",
            Self::InProgress => "IN_PROGRESS",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
        }
    }
}

/// How `StopServiceDeployment` stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopType {
    /// Blue serves again.
    Rollback,
    /// Everything stays as it is.
    Abort,
    /// As [`StopType::Abort`], because another deployment of the service was begun.
    Replaced,
}

/// `ServiceDeploymentStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are ECS's")]
pub enum ServiceDeploymentStatus {
    Pending,
    InProgress,
    Successful,
    StopRequested,
    Stopped,
    RollbackRequested,
    RollbackInProgress,
    RollbackSuccessful,
    RollbackFailed,
}

impl ServiceDeploymentStatus {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::InProgress,
        Self::Successful,
        Self::StopRequested,
        Self::Stopped,
        Self::RollbackRequested,
        Self::RollbackInProgress,
        Self::RollbackSuccessful,
        Self::RollbackFailed,
    ];

    /// As ECS writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::InProgress => "IN_PROGRESS",
            Self::Successful => "SUCCESSFUL",
            Self::StopRequested => "STOP_REQUESTED",
            Self::Stopped => "STOPPED",
            Self::RollbackRequested => "ROLLBACK_REQUESTED",
            Self::RollbackInProgress => "ROLLBACK_IN_PROGRESS",
            Self::RollbackSuccessful => "ROLLBACK_SUCCESSFUL",
            Self::RollbackFailed => "ROLLBACK_FAILED",
        }
    }

    /// Whether nothing more will come of it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Successful | Self::Stopped | Self::RollbackSuccessful | Self::RollbackFailed)
    }

    /// Whether it has blue in its mind.
    pub fn goes_back(self) -> bool {
        matches!(
            self,
            Self::RollbackRequested | Self::RollbackInProgress | Self::RollbackSuccessful | Self::RollbackFailed
        )
    }
}

impl ServiceDeployment {
    /// Its id, the last part of its ARN.
    pub fn id(&self) -> &str {
        self.arn.rsplit('/').next().unwrap_or(&self.arn)
    }

    /// ARN of the revision that served when it began.
    pub fn source(&self) -> Option<&str> {
        self.sources.first().map(String::as_str)
    }

    /// The execution with this id.
    pub fn hook_mut(&mut self, id: &str) -> Option<&mut HookExecution> {
        self.hooks.iter_mut().find(|hook| hook.id == id)
    }
}

/// ARN of something of a service: `service-deployment` or `service-revision`.
pub fn arn_of_service(kind: &str, cluster: &str, service: &str, id: &str) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:{kind}/{cluster}/{service}/{id}")
}

impl State {
    /// The service deployment with this ARN.
    pub fn service_deployment(&self, arn: &str) -> Option<&ServiceDeployment> {
        self.service_deployments.iter().find(|deployment| deployment.arn == arn)
    }

    /// As [`State::service_deployment`], to change it.
    pub fn service_deployment_mut(&mut self, arn: &str) -> Option<&mut ServiceDeployment> {
        self.service_deployments.iter_mut().find(|deployment| deployment.arn == arn)
    }

    /// The service revision with this ARN.
    pub fn service_revision(&self, arn: &str) -> Option<&ServiceRevision> {
        self.service_revisions.iter().find(|revision| revision.arn == arn)
    }

    /// The revision whose tasks are those of this task set.
    pub fn revision_of_task_set(&self, task_set: &str) -> Option<&ServiceRevision> {
        self.service_revisions.iter().find(|revision| revision.task_set == task_set)
    }

    /// Deployments of this service, oldest first.
    pub fn deployments_of(&self, cluster: &str, service: &str) -> impl DoubleEndedIterator<Item = &ServiceDeployment> {
        self.service_deployments.iter().filter(move |it| it.cluster == cluster && it.service == service)
    }

    /// Whether no deployment is under way, whoever carries it out.
    pub fn deployments_have_ended(&self) -> bool {
        self.codedeploy.deployments.iter().all(|it| it.status.is_final())
            && self.service_deployments.iter().all(|it| it.status.is_final())
    }
}

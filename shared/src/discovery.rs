//! From a deployment's id to the whole [`Deployment`]: what the answers of AWS mean together.
//!
//! Asking AWS is `aws`'s part; this one decides which task set is green, which alarms count, and whether the way leads
//! back. Nothing here is guessed from the name of a target group or its position in a list.

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use crate::appspec::AppSpec;
use crate::check::CannotTell;
use crate::deployment::{
    AlarmConfiguration, AutoRollback, Deployment, DeploymentId, Engine, FunctionDeployment, Listener, Rollback,
    Service, TargetGroup, TaskSet, family_and_revision,
};
use crate::document::Mistakes;

mod function;
mod native;

pub use self::function::{FunctionTarget, assemble_function, function_app_spec};
pub use self::native::{
    Balancing, NativeDeployments, NativeParts, NativeRecord, Revision as ServiceRevision, assemble_native, listener_of,
    without_load_balancer,
};

/// Where deployments are looked up.
#[async_trait]
pub trait Deployments: Send + Sync {
    /// The deployment's own record: enough to know whether it is CodeDeploy's way back.
    async fn record(&self, id: &DeploymentId) -> Result<Record, DiscoveryError>;

    /// The rest of it, of a service.
    async fn describe(&self, record: Record) -> Result<Deployment, DiscoveryError>;

    /// The rest of it, of a function.
    async fn describe_function(&self, record: Record) -> Result<FunctionDeployment, DiscoveryError>;
}

/// Why we know the deployment's id, but not what it deploys.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// AWS was asked, and did not say.
    #[error(transparent)]
    Unanswered(#[from] CannotTell),
    /// The AppSpec file cannot be read.
    #[error("the AppSpec of the deployment cannot be read: {}", .0.briefly())]
    AppSpec(Mistakes),
    /// AWS's answers do not fit together, or are nothing that greenlight guards.
    #[error("{found}")]
    Unfit {
        /// What was found.
        found: String,
        /// What to do.
        remedy: String,
    },
}

impl DiscoveryError {
    /// Answers that do not fit, and what to do about it.
    pub fn unfit(found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Unfit { found: found.into(), remedy: remedy.into() }
    }

    /// What to do.
    pub fn remedy(&self) -> &str {
        match self {
            Self::Unanswered(cannot_tell) => &cannot_tell.remedy,
            Self::AppSpec(_) => "Correct the AppSpec file and redeploy.",
            Self::Unfit { remedy, .. } => remedy,
        }
    }

    /// Whether asking again may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unanswered(CannotTell { transient: true, .. }))
    }
}

/// What `GetDeployment` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The deployment.
    pub id: DeploymentId,
    /// CodeDeploy application.
    pub application: String,
    /// CodeDeploy deployment group.
    pub group: String,
    /// Name of the deployment configuration.
    pub config: String,
    /// Who started it.
    pub creator: String,
    /// CodeDeploy's word for its state.
    pub status: String,
    /// What kind of thing is deployed.
    pub platform: Platform,
    /// The deployment that this one undoes, by `rollbackInfo.rollbackTriggeringDeploymentId`.
    pub undoes: Option<DeploymentId>,
    /// The deployment's own alarms, where they override the group's.
    pub override_alarms: Option<AlarmConfiguration>,
    /// Deployment settings that may also be the group's.
    pub settings: Settings,
    /// Where the AppSpec is.
    pub revision: Revision,
    /// Ids of its targets, for ECS `<cluster>:<service>`; empty where they cannot be listed yet.
    pub target_ids: Vec<String>,
}

/// CodeDeploy's compute platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Platform {
    /// `ECS`; also where nothing is said.
    Ecs,
    /// `Lambda`.
    Lambda,
    /// `Server`, or one that greenlight does not know.
    Other(String),
}

impl Platform {
    /// By CodeDeploy's word for it.
    pub fn named(name: &str) -> Self {
        match name {
            "ECS" | "" => Self::Ecs,
            "Lambda" => Self::Lambda,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// Settings that a deployment group has and a deployment repeats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// What happens when the deployment fails.
    pub auto_rollback: Option<AutoRollback>,
    /// Minutes that blue is kept: outer `None` when it is not said, inner when blue is never terminated.
    pub termination_wait: Option<Option<u32>>,
    /// Target groups and listeners.
    pub routes: Option<Routes>,
}

/// The target group pair and its listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routes {
    /// Names of the two target groups.
    pub target_groups: Vec<String>,
    /// ARN of the production listener.
    pub production: String,
    /// ARN of the test listener, where there is one.
    pub test: Option<String>,
}

/// Where the AppSpec is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revision {
    /// In CodeDeploy, under its SHA-256.
    AppSpecContent {
        /// Of the content, in hexadecimal.
        sha256: String,
    },
    /// As above, in the older form.
    RawString {
        /// Of the content, in hexadecimal.
        sha256: String,
    },
    /// A file in S3.
    S3 {
        /// Bucket.
        bucket: String,
        /// Key.
        key: String,
        /// Version, in a versioned bucket.
        version: Option<String>,
        /// `YAML`, `JSON`, `zip`, `tar` or `tgz`.
        bundle: String,
    },
    /// None that a deployment of a service or function can have.
    Other(String),
}

/// What the group says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Cluster and service.
    pub service: Option<(String, String)>,
    /// Its alarms.
    pub alarms: AlarmConfiguration,
    /// Its settings.
    pub settings: Settings,
}

/// What the deployment's target says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Target {
    /// Lifecycle events in progress.
    pub events_in_progress: Vec<String>,
    /// When production began to move.
    pub shift_began: Option<jiff::Timestamp>,
    /// Whether Install is over: only then a green task set exists.
    pub installed: bool,
    /// By task set id: `Blue` or `Green`, and percent of production traffic.
    pub sides: Vec<(String, Option<String>, f64)>,
}

/// A task set, and what tells whose it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The task set.
    pub task_set: TaskSet,
    /// The id of the deployment that made it, where CodeDeploy did.
    pub external_id: Option<String>,
}

/// Everything that was asked.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The deployment group.
    pub group: Group,
    /// The AppSpec.
    pub app_spec: AppSpec,
    /// The deployment's target.
    pub target: Target,
    /// The service.
    pub service: Service,
    /// Its task sets.
    pub candidates: Vec<Candidate>,
    /// The pair of target groups.
    pub target_groups: Vec<TargetGroup>,
    /// The production listener.
    pub production: Listener,
    /// The test listener.
    pub test: Option<Listener>,
}

impl Record {
    /// Whether it is in a state from which no deployment comes back: nobody waits for an answer.
    pub fn is_over(&self) -> bool {
        ["Succeeded", "Failed", "Stopped"].contains(&self.status.as_str())
    }

    /// Set when CodeDeploy itself started this deployment to lead back.
    pub fn automatic_rollback(&self) -> Option<Rollback> {
        (self.creator == "codeDeployRollback" || self.undoes.is_some())
            .then(|| Rollback::Automatic { of: self.undoes.clone() })
    }
}

/// Puts the answers together.
pub fn assemble(record: Record, parts: Parts) -> Deployment {
    let Parts { group, app_spec, target, service, mut candidates, target_groups, production, test } = parts;
    for candidate in &mut candidates {
        let side = target.sides.iter().find(|(id, ..)| same_task_set(id, &candidate.task_set.id));
        candidate.task_set.traffic_percent = side.map(|(.., percent)| *percent);
    }
    let green = green(&record.id, &target, &candidates).cloned();
    let blue = blue(green.as_ref(), &target, &candidates).cloned();
    let blue = blue.map(|candidate| candidate.task_set);
    let green = green.map(|candidate| candidate.task_set);
    let rollback = record
        .automatic_rollback()
        .or_else(|| manual_rollback(blue.as_ref().map(|it| it.task_definition.as_str()), &app_spec.task_definition));
    Deployment {
        rollback,
        auto_rollback: record.settings.auto_rollback.or(group.settings.auto_rollback).unwrap_or_default(),
        alarms: record.override_alarms.unwrap_or(group.alarms),
        termination_wait_minutes: record.settings.termination_wait.or(group.settings.termination_wait).flatten(),
        events_in_progress: target.events_in_progress,
        shift_began: target.shift_began,
        service,
        target_task_definition: app_spec.task_definition,
        container_name: app_spec.container_name,
        container_port: app_spec.container_port,
        blue,
        green,
        target_groups,
        production,
        test,
        id: record.id,
        engine: Engine::CodeDeploy { application: record.application, group: record.group },
    }
}

/// Green is the task set that this deployment made. Where ECS does not say who made it, CodeDeploy's label counts; where
/// there is none either, the task set that is not primary, but only once Install is over: before that it is a leftover.
fn green<'a>(id: &DeploymentId, target: &Target, candidates: &'a [Candidate]) -> Option<&'a Candidate> {
    let made_here = candidates.iter().find(|candidate| candidate.external_id.as_deref() == Some(id.0.as_str()));
    made_here.or_else(|| labelled("Green", target, candidates)).or_else(|| {
        let mut newcomers = candidates.iter().filter(|candidate| candidate.task_set.status == "ACTIVE");
        let newcomer = newcomers.next().filter(|_| target.installed)?;
        newcomers.next().is_none().then_some(newcomer)
    })
}

/// Blue is the primary task set, unless green has already become it: then the labelled one, or the one that is left.
fn blue<'a>(green: Option<&Candidate>, target: &Target, candidates: &'a [Candidate]) -> Option<&'a Candidate> {
    let others = || candidates.iter().filter(|candidate| green != Some(*candidate));
    others()
        .find(|candidate| candidate.task_set.status == "PRIMARY")
        .or_else(|| labelled("Blue", target, candidates).filter(|candidate| green != Some(*candidate)))
        .or_else(|| others().find(|candidate| candidate.task_set.status == "ACTIVE"))
        .or_else(|| others().next())
}

fn labelled<'a>(label: &str, target: &Target, candidates: &'a [Candidate]) -> Option<&'a Candidate> {
    let (id, ..) = target.sides.iter().find(|(_, side, _)| side.as_deref() == Some(label))?;
    candidates.iter().find(|candidate| same_task_set(id, &candidate.task_set.id))
}

/// CodeDeploy may name a task set by its ARN where ECS gives the id.
fn same_task_set(one: &str, other: &str) -> bool {
    let last = |id: &str| id.rsplit('/').next().unwrap_or_default().to_owned();
    last(one) == last(other)
}

/// An older revision of the same family than the one that serves now is a way back, whoever started it.
fn manual_rollback(blue: Option<&str>, target: &str) -> Option<Rollback> {
    let (serving_family, serving) = family_and_revision(blue?)?;
    let (family, revision) = family_and_revision(target)?;
    (family == serving_family && revision < serving)
        .then(|| Rollback::Manual { from: format!("{serving_family}:{serving}"), to: format!("{family}:{revision}") })
}

/// The AppSpec in this content, which must have this SHA-256 where one is known.
pub fn app_spec(content: &str, sha256: Option<&str>, source: &str) -> Result<AppSpec, DiscoveryError> {
    same_digest(content, sha256)?;
    AppSpec::parse(content, source).map_err(DiscoveryError::AppSpec)
}

fn same_digest(content: &str, sha256: Option<&str>) -> Result<(), DiscoveryError> {
    if let Some(expected) = sha256 {
        let digest: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
        if !digest.eq_ignore_ascii_case(expected) {
            return Err(DiscoveryError::unfit(
                format!("CodeDeploy returned an AppSpec with SHA-256 {digest}; the deployment names {expected}"),
                "Start a new deployment; report it to AWS support if it happens again.",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

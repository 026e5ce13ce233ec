//! ECS: task definitions, services with their task sets, tasks.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::deployment_configuration::Controller;
use super::{ACCOUNT, REGION, State};

/// One revision of a task definition.
#[derive(Clone, Debug)]
pub struct TaskDefinition {
    /// Family.
    pub family: String,
    /// Revision, from 1.
    pub revision: u32,
    /// Whether its status is `ACTIVE`.
    pub active: bool,
    /// When it was registered.
    pub registered_at: Timestamp,
    /// Containers.
    pub containers: Vec<Container>,
}

/// A container of a task definition. A task of the rehearsal is one process: that of the container which the load
/// balancer talks to.
#[derive(Clone, Debug)]
pub struct Container {
    /// Name.
    pub name: String,
    /// Image; only a name here, nothing is pulled.
    pub image: String,
    /// Container port.
    pub port: u16,
    /// What its image runs whatever the command is; empty where nobody says.
    pub entry_point: Vec<String>,
    /// Command: the entry point's arguments, or a program and its own where there is none. Empty with an empty entry point
    /// means the scenario's start command.
    pub command: Vec<String>,
    /// A program that runs the process of a service's task, and stands before it.
    pub wrapper: Vec<String>,
    /// Environment of the process.
    pub environment: BTreeMap<String, String>,
    /// Docker labels.
    pub labels: BTreeMap<String, String>,
    /// Variables whose values come from Secrets Manager or Systems Manager: name and `valueFrom`.
    pub secrets: BTreeMap<String, String>,
    /// Log group and prefix of its streams, where it writes to CloudWatch Logs.
    pub log: Option<(String, String)>,
}

/// An ECS service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Cluster.
    pub cluster: String,
    /// Name.
    pub name: String,
    /// Tasks wanted.
    pub desired_count: u32,
    /// How long after a task's start failed load balancer checks do not stop it.
    pub health_check_grace_period: Duration,
    /// The container and port that targets are registered with.
    pub container_name: String,
    /// Its port.
    pub container_port: u16,
    /// Created when.
    pub created_at: Timestamp,
    /// Who carries out its deployments.
    pub controller: Controller,
    /// Task sets, oldest first. A task set that was deleted is gone from here. Where ECS carries out the deployments each is the
    /// tasks of a service revision, and clients are told of it as an entry of `deployments`.
    pub task_sets: Vec<TaskSet>,
}

/// A task set: one version of the service.
#[derive(Clone, Debug)]
pub struct TaskSet {
    /// `ecs-svc/…`.
    pub id: String,
    /// ARN of its task definition.
    pub task_definition: String,
    /// Its role.
    pub status: TaskSetStatus,
    /// Tasks wanted; 0 while it is being deleted.
    pub desired: u32,
    /// ARN of the target group its tasks are registered in.
    pub target_group: String,
    /// The CodeDeploy deployment that made it; `None` for the one the service was created with.
    pub external_id: Option<String>,
    /// Created when.
    pub created_at: Timestamp,
    /// Whether it reached `STEADY_STATE`, and since when it is in its present stability.
    pub steady: bool,
    /// Since when.
    pub stability_at: Timestamp,
    /// Which side of the present deployment it is, for people: `blue` or `green`.
    pub colour: Colour,
}

/// Blue serves when a deployment starts, green is the newcomer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Colour {
    /// What serves.
    Blue,
    /// What is new.
    Green,
}

impl std::fmt::Display for Colour {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.pad(match self {
            Self::Blue => "blue",
            Self::Green => "green",
        })
    }
}

/// `PRIMARY`, `ACTIVE` or `DRAINING`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskSetStatus {
    /// Serves production.
    Primary,
    /// Runs, without production traffic of its own.
    Active,
    /// Being stopped.
    Draining,
}

/// A task: one process. One that runs once has no service, no task set and no port.
#[derive(Clone, Debug)]
pub struct Task {
    /// Id, the last part of its ARN.
    pub id: String,
    /// Cluster.
    pub cluster: String,
    /// Service.
    pub service: String,
    /// Its task set's id.
    pub task_set: String,
    /// ARN of its task definition.
    pub task_definition: String,
    /// Where it is in its life.
    pub status: TaskStatus,
    /// Set when it should stop: the scheduler's or the load balancer's reason.
    pub stop_wanted: Option<StopReason>,
    /// Availability zone.
    pub zone: &'static str,
    /// The loopback port that its process listens on; given by whoever starts it.
    pub port: Option<u16>,
    /// Created when.
    pub created_at: Timestamp,
    /// Running since.
    pub started_at: Option<Timestamp>,
    /// Stopped when.
    pub stopped_at: Option<Timestamp>,
    /// Why it stopped.
    pub stopped: Option<StopReason>,
    /// Exit code of its process; 128 + n for a signal, as containers report it.
    pub exit_code: Option<i32>,
    /// The last lines it wrote.
    pub last_lines: Vec<String>,
    /// What was ordered, where it runs once and belongs to no service and no task set.
    pub one_off: Option<OneOff>,
}

/// The order of a task that runs once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneOff {
    /// Who started it, in the client's words.
    pub started_by: Option<String>,
    /// The client's token: the same order is not carried out twice.
    pub client_token: Option<String>,
    /// Everything that was ordered, to tell one order from another.
    pub order: String,
    /// Its task group.
    pub group: String,
    /// Containers that run something else than their definition says.
    pub overrides: Vec<Override>,
}

/// What a container of a one-off task runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Its name.
    pub container: String,
    /// Its command; the definition's when empty.
    pub command: Vec<String>,
    /// Environment variables beside those of the definition.
    pub environment: BTreeMap<String, String>,
}

/// Where a task is in its life. ECS's `lastStatus` has more steps; these are the ones the rehearsal passes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskStatus {
    /// Wanted, no process yet.
    Provisioning,
    /// Its process has been started but does not listen yet.
    Pending,
    /// Its process listens.
    Running,
    /// Told to stop: deregistering, then SIGTERM, then SIGKILL.
    Stopping,
    /// Gone.
    Stopped,
}

/// Why a task stops.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopReason {
    /// `TaskFailedToStart`, `EssentialContainerExited`, `ServiceSchedulerInitiated`, `UserInitiated`.
    pub code: &'static str,
    /// In ECS's words.
    pub reason: String,
}

impl TaskDefinition {
    /// ARN with revision.
    pub fn arn(&self) -> String {
        format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{}:{}", self.family, self.revision)
    }
}

impl Service {
    /// ARN.
    pub fn arn(&self) -> String {
        format!("arn:aws:ecs:{REGION}:{ACCOUNT}:service/{}/{}", self.cluster, self.name)
    }

    /// The task set that serves production.
    pub fn primary(&self) -> Option<&TaskSet> {
        self.task_sets.iter().find(|set| set.status == TaskSetStatus::Primary)
    }

    /// The task set with this id.
    pub fn task_set(&self, id: &str) -> Option<&TaskSet> {
        self.task_sets.iter().find(|set| set.id == id)
    }
}

impl Container {
    /// Log group and stream of this container in the task with this id.
    pub fn log_stream(&self, task: &str) -> Option<(String, String)> {
        let (group, prefix) = self.log.as_ref()?;
        Some((group.clone(), format!("{prefix}/{}/{task}", self.name)))
    }
}

impl Task {
    /// ARN.
    pub fn arn(&self) -> String {
        format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task/{}/{}", self.cluster, self.id)
    }
}

impl State {
    /// The service with this cluster and name.
    pub fn service(&self, cluster: &str, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.cluster == cluster && service.name == name)
    }

    /// As [`State::service`], to change it.
    pub fn service_mut(&mut self, cluster: &str, name: &str) -> Option<&mut Service> {
        self.services.iter_mut().find(|service| service.cluster == cluster && service.name == name)
    }

    /// The task definition with this ARN, `family:revision`, or family (its latest active revision).
    pub fn task_definition(&self, name: &str) -> Option<&TaskDefinition> {
        let name = name.rsplit('/').next().unwrap_or(name);
        match name.split_once(':') {
            Some((family, revision)) => {
                let revision: u32 = revision.parse().ok()?;
                self.task_definitions.iter().find(|it| it.family == family && it.revision == revision)
            }
            None => {
                self.task_definitions.iter().filter(|it| it.family == name && it.active).max_by_key(|it| it.revision)
            }
        }
    }

    /// The task set with this id, in whichever service.
    pub fn task_set(&self, id: &str) -> Option<&TaskSet> {
        self.services.iter().find_map(|service| service.task_set(id))
    }

    /// The tasks of a task set that are not stopped.
    pub fn live_tasks<'a>(&'a self, task_set: &'a str) -> impl Iterator<Item = &'a Task> {
        self.tasks.iter().filter(move |task| task.task_set == task_set && task.status != TaskStatus::Stopped)
    }

    /// The container whose process a task is: the one that an order names, else the one that the load balancer talks to.
    pub fn container_of(&self, task: &Task) -> Option<&Container> {
        let containers = &self.task_definition(&task.task_definition)?.containers;
        let ordered = task.one_off.as_ref().and_then(|one_off| one_off.overrides.first());
        let serving = self.service(&task.cluster, &task.service).map(|service| service.container_name.as_str());
        let name = ordered.map(|it| it.container.as_str()).or(serving);
        containers.iter().find(|container| Some(container.name.as_str()) == name).or(containers.first())
    }

    /// The task with this id, to change it.
    pub fn task_mut(&mut self, id: &str) -> Option<&mut Task> {
        self.tasks.iter_mut().find(|task| task.id == id)
    }
}

//! The ways a check asks the outside world: few traits, cut by question, in greenlight's own words.
//!
//! Each has two implementations: `aws` (or `http`) for real, `fakes` in tests.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use crate::check::CannotTell;
use crate::deployment::{DeploymentId, TaskSet};

mod databases;
mod functions;
mod images;
mod logs;
mod objects;
mod one_off;
mod stores;
mod world;

pub use self::databases::{Database, Databases};
pub use self::functions::{FunctionCall, Functions, Invoked};
pub use self::images::{EcrImage, ImageReference, Images, Presence, Scan};
pub use self::logs::{ContainerLog, LogStream, Logs};
pub use self::objects::{BucketFolder, ObjectEntry, Objects};
pub use self::one_off::{OneOffTasks, Started, TaskOrder};
pub use self::stores::{Parameters, Secret, SecretDescription, Secrets};
pub use self::world::{Ports, World};

/// What ECS knows of task definitions and tasks.
#[async_trait]
pub trait Tasks: Send + Sync {
    /// The task definition with this ARN, or `None` if ECS has none.
    async fn task_definition(&self, arn: &str) -> Result<Option<TaskDefinition>, CannotTell>;

    /// The task sets of the service as they are now; more recent than those of the deployment.
    async fn task_sets(&self, cluster: &str, service: &str) -> Result<Vec<TaskSet>, CannotTell>;

    /// The tasks that this task set started: running, and recently stopped.
    async fn tasks(&self, cluster: &str, task_set: &TaskSet) -> Result<Vec<Task>, CannotTell>;
}

/// A task definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskDefinition {
    /// ARN with revision.
    pub arn: String,
    /// Whether its status is `ACTIVE`.
    pub active: bool,
    /// Its containers.
    pub containers: Vec<Container>,
}

/// A container of a task definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its image, as written.
    pub image: String,
    /// Whether the task ends when it ends.
    pub essential: bool,
    /// Container ports it maps.
    pub ports: Vec<u16>,
    /// Docker labels. Written by the team that owns the service: untrusted.
    pub labels: BTreeMap<String, String>,
    /// Where it writes, when that is CloudWatch Logs.
    pub log: Option<ContainerLog>,
    /// Variables whose values come from Secrets Manager or Systems Manager: name and `valueFrom`.
    pub secrets: Vec<(String, String)>,
    /// Name or ARN of the secret with the login to the image's registry.
    pub registry_login: Option<String>,
    /// Seconds from SIGTERM to SIGKILL, where the task definition says.
    pub stop_timeout_seconds: Option<u32>,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// ARN.
    pub arn: String,
    /// `PROVISIONING`, `PENDING`, `RUNNING`, `DEPROVISIONING`, `STOPPED`, …
    pub last_status: String,
    /// Which task definition it runs.
    pub task_definition: String,
    /// Who started it: a task set's id, or the mark of an order.
    pub started_by: Option<String>,
    /// Availability zone.
    pub zone: String,
    /// `TaskFailedToStart`, `EssentialContainerExited`, `ServiceSchedulerInitiated`, …
    pub stop_code: Option<String>,
    /// Why it stopped, in ECS's words.
    pub stopped_reason: Option<String>,
    /// When its containers ran.
    pub started_at: Option<jiff::Timestamp>,
    /// When it stopped.
    pub stopped_at: Option<jiff::Timestamp>,
    /// Exit codes by container.
    pub exit_codes: Vec<(String, i32)>,
    /// What ECS says of containers that ended or never ran: `OutOfMemoryError: …`, `CannotPullContainerError: …`.
    pub reasons: Vec<(String, String)>,
    /// The addresses that a target group would know it by.
    pub addresses: Vec<String>,
}

/// What the load balancer knows of its targets.
#[async_trait]
pub trait Targets: Send + Sync {
    /// Every target registered in this target group. An empty list is a real answer: nothing is registered.
    async fn health(&self, target_group_arn: &str) -> Result<Vec<TargetHealth>, CannotTell>;

    /// Seconds that a deregistered target of this group may finish its requests.
    async fn deregistration_delay(&self, target_group_arn: &str) -> Result<u32, CannotTell>;

    /// The listener as it is now: where its rules point.
    async fn listener(&self, listener_arn: &str) -> Result<crate::deployment::Listener, CannotTell>;
}

/// One target's health.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetHealth {
    /// Address or instance id.
    pub target: String,
    /// Port.
    pub port: u16,
    /// Availability zone, where known.
    pub zone: Option<String>,
    /// `initial`, `healthy`, `unhealthy`, `unhealthy.draining`, `unused`, `draining`, `unavailable`.
    pub state: String,
    /// `Target.ResponseCodeMismatch`, `Target.NotInUse`, …
    pub reason: Option<String>,
    /// In words.
    pub description: Option<String>,
}

/// What CloudWatch knows of alarms.
#[async_trait]
pub trait Alarms: Send + Sync {
    /// The alarms with these names, metric and composite. One that does not exist is missing from the list.
    async fn states(&self, names: &[String]) -> Result<Vec<AlarmState>, CannotTell>;
}

/// One alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmState {
    /// Its name.
    pub name: String,
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    pub state: String,
    /// Why, in CloudWatch's words.
    pub reason: String,
    /// Since when; `None` when CloudWatch does not say.
    pub since: Option<jiff::Timestamp>,
}

/// What CloudWatch counted.
#[async_trait]
pub trait Metrics: Send + Sync {
    /// Requests to the targets of each of these two groups, by the beginning of each minute, for whole minutes that begin at or
    /// after `from` and have arrived. A minute without a request may be missing.
    async fn requests(
        &self,
        load_balancer_arn: &str,
        target_group_arns: [&str; 2],
        from: jiff::Timestamp,
    ) -> Result<[BTreeMap<jiff::Timestamp, Counts>; 2], CannotTell>;
}

/// What a load balancer counted of a target group.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// `RequestCount`: requests for which a target was chosen.
    pub requests: u64,
    /// `HTTPCode_Target_5XX_Count`: answers with 5xx of the targets.
    pub errors: u64,
    /// `TargetConnectionErrorCount`: requests whose target took no connection.
    pub unreached: u64,
}

/// HTTP requests to the service through its load balancer.
#[async_trait]
pub trait Probe: Send + Sync {
    /// Sends one request. Any HTTP response is `Ok`, whatever its status: judging is the check's.
    /// Redirects are not followed. At most `max_body` bytes of the body are read.
    async fn send(&self, request: ProbeRequest) -> Result<ProbeResponse, ProbeError>;
}

/// A request.
#[derive(Clone, Debug)]
pub struct ProbeRequest {
    /// `GET`, `POST`, …
    pub method: String,
    /// Scheme, address to connect to, port and path: `http://internal-x.elb.amazonaws.com:9001/health`.
    pub url: String,
    /// Name to send as `Host`, and as SNI over TLS, when it is not the address's own.
    pub host: Option<String>,
    /// Headers. Values may be secret: never log them.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Option<Vec<u8>>,
    /// How long to wait for the whole answer.
    pub timeout: Duration,
    /// Bytes of the body to read at most.
    pub max_body: usize,
}

/// A response.
#[derive(Clone, Debug)]
pub struct ProbeResponse {
    /// Status code.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The beginning of the body.
    pub body: Vec<u8>,
    /// Whether the body went on after `max_body`.
    pub truncated: bool,
    /// From the first byte sent to the last byte read.
    pub took: Duration,
}

impl ProbeResponse {
    /// The first value of this header; name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether the load balancer itself answered, not a target behind it: it says so in `Server: awselb/2.0`.
    pub fn is_from_load_balancer(&self) -> bool {
        self.header("server").is_some_and(|server| server.starts_with("awselb/"))
    }
}

/// Why there was no response.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct ProbeError {
    /// In words, without the request's headers or body.
    pub reason: String,
    /// Whether nothing was listening at all, as opposed to a connection that broke or took too long.
    pub refused: bool,
}

/// A deployment's id and what it belongs to, for [`ProbeRequest`]s' user agent.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The hook's name.
    pub hook: &'static str,
    /// The deployment.
    pub deployment: DeploymentId,
}

impl Caller {
    /// `greenlight/0.1.0 (after-install; d-ABC123)`: lets an application recognise and skip our requests.
    pub fn user_agent(&self) -> String {
        format!("greenlight/{} ({}; {})", env!("CARGO_PKG_VERSION"), self.hook, self.deployment)
    }
}

//! Tasks that run once and end, without a service that keeps them.

use async_trait::async_trait;

use super::Task;
use crate::check::CannotTell;

/// What ECS knows of one-off tasks, and may be told about them.
#[async_trait]
pub trait OneOffTasks: Send + Sync {
    /// The tasks of this cluster that were started under this mark: those that run, and those that stopped within about an
    /// hour. ECS forgets them after that.
    async fn marked(&self, cluster: &str, mark: &str) -> Result<Vec<Task>, CannotTell>;

    /// The tasks of this family that have not ended, whoever started them.
    async fn of_family(&self, cluster: &str, family: &str) -> Result<Vec<Task>, CannotTell>;

    /// The task with this ARN as it is now, or `None` where ECS does not know it (yet, or any more).
    async fn task(&self, cluster: &str, arn: &str) -> Result<Option<Task>, CannotTell>;

    /// Starts a task where and how the tasks of a task set run. Asked again with the same order it starts no second one.
    async fn start(&self, order: &TaskOrder) -> Result<Started, CannotTell>;

    /// Has a task ended: SIGTERM, and SIGKILL after its stop timeout. Does not wait for it.
    async fn stop(&self, cluster: &str, arn: &str, reason: &str) -> Result<(), CannotTell>;
}

/// A task to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskOrder {
    /// Name of the cluster.
    pub cluster: String,
    /// The service beside whose tasks it runs.
    pub service: String,
    /// The id of the task set whose network, launch type, capacity providers and platform it gets; the service's own where
    /// there is no such task set.
    pub task_set: Option<String>,
    /// ARN with revision of the task definition that it runs.
    pub task_definition: String,
    /// What it is found by, and started at most once for: at most 36 letters, digits, `-` and `_`.
    pub mark: String,
    /// The container whose command is another one.
    pub container: String,
    /// That command: a program and its arguments.
    pub command: Vec<String>,
    /// Variables that the container gets beside its own.
    pub environment: Vec<(String, String)>,
}

/// What came of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Started {
    /// ECS starts this task, or has started it before.
    Task(Box<Task>),
    /// There is no room for it now: ECS's words. Nothing was started.
    NoRoom(String),
    /// ECS does not start it: its words. Nothing was started.
    Refused(String),
}

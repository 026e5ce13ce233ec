//! What containers wrote.

use async_trait::async_trait;

use crate::check::CannotTell;

/// Where the `awslogs` driver of a container writes.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerLog {
    /// Region; the function's own where the task definition names none.
    pub region: Option<String>,
    /// Log group.
    pub group: String,
    /// Prefix of the streams' names; without one a stream has the container's runtime id, which nobody can know here.
    pub prefix: Option<String>,
}

/// The log stream of one container of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStream {
    /// Region; the function's own when `None`.
    pub region: Option<String>,
    /// Log group.
    pub group: String,
    /// `prefix/container/task id`.
    pub stream: String,
}

impl ContainerLog {
    /// The stream of the container with this name in this task.
    pub fn stream(&self, container: &str, task_arn: &str) -> Option<LogStream> {
        let task = task_arn.rsplit('/').next()?;
        let prefix = self.prefix.as_deref()?;
        let stream = format!("{prefix}/{container}/{task}");
        Some(LogStream { region: self.region.clone(), group: self.group.clone(), stream })
    }
}

/// CloudWatch Logs.
#[async_trait]
pub trait Logs: Send + Sync {
    /// The last lines of this stream, at most so many, oldest first; `None` where there is no such stream.
    async fn last_lines(&self, stream: &LogStream, most: u16) -> Result<Option<Vec<String>>, CannotTell>;
}

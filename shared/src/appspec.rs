//! The AppSpec file: what CodeDeploy deploys and which functions it calls.
//!
//! <https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-resources.html>

/// An AppSpec for the ECS compute platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppSpec {
    /// ARN with revision of the task definition to deploy.
    pub task_definition: String,
    /// The container that the load balancer talks to.
    pub container_name: String,
    /// Its port.
    pub container_port: u16,
    /// Lifecycle event name and function (name or ARN), in the order of the file.
    pub hooks: Vec<(String, String)>,
}

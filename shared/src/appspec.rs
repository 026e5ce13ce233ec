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

impl AppSpec {
    /// Reads an AppSpec; `source` names it in errors.
    pub fn parse(text: &str, source: &str) -> Result<Self, String> {
        let tree: serde_json::Value = serde_saphyr::from_str(text).map_err(|error| format!("{source}: {error}"))?;
        let properties = &tree["Resources"][0]["TargetService"]["Properties"];
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned).ok_or(format!("{source}: incomplete"));
        let hooks = tree["Hooks"].as_array().into_iter().flatten().filter_map(|entry| entry.as_object());
        Ok(Self {
            task_definition: text(&properties["TaskDefinition"])?,
            container_name: text(&properties["LoadBalancerInfo"]["ContainerName"])?,
            container_port: properties["LoadBalancerInfo"]["ContainerPort"]
                .as_u64()
                .and_then(|port| u16::try_from(port).ok())
                .ok_or(format!("{source}: no ContainerPort"))?,
            hooks: hooks
                .flatten()
                .filter_map(|(event, function)| Some((event.clone(), function.as_str()?.to_owned())))
                .collect(),
        })
    }
}

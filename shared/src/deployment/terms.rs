//! What things are called by whoever carries the deployment out: advice that names the wrong place helps nobody.

/// The words of CodeDeploy, or of ECS.
#[derive(Debug, PartialEq, Eq)]
pub struct Terms {
    /// Who moves the traffic.
    pub mover: &'static str,
    /// What has alarms, rollback and target groups.
    pub settings: &'static str,
    /// What names the task definition and the hooks.
    pub source: &'static str,
    /// The task definition there.
    pub task_definition: &'static str,
    /// The container's name there.
    pub container_name: &'static str,
    /// The container's port there.
    pub container_port: &'static str,
    /// One side of the deployment.
    pub side: &'static str,
    /// What is pointed at blue or green.
    pub route: &'static str,
    /// Where test traffic comes in.
    pub test_listener: &'static str,
    /// How one comes by it.
    pub get_test_listener: &'static str,
    /// How a hook is no longer called.
    pub leave_hook_out: &'static str,
    /// Rolling back when it fails.
    pub on_failure: &'static str,
    /// Rolling back when an alarm fires.
    pub on_alarm: &'static str,
    /// Where blue and green are looked for.
    pub look_at_sides: &'static str,
}

impl Terms {
    /// CodeDeploy's, of a service or a function.
    pub const OF_CODEDEPLOY: Self = Self {
        mover: "CodeDeploy",
        settings: "the deployment group",
        source: "the AppSpec",
        task_definition: "TaskDefinition in the AppSpec",
        container_name: "ContainerName in the AppSpec",
        container_port: "ContainerPort in the AppSpec",
        side: "task set",
        route: "listener",
        test_listener: "test listener",
        get_test_listener: "Give the deployment group a test listener",
        leave_hook_out: "take this hook out of the AppSpec",
        on_failure: "DEPLOYMENT_FAILURE",
        on_alarm: "DEPLOYMENT_STOP_ON_ALARM",
        look_at_sides: "Look at the service's task sets in ECS; one of them must be PRIMARY.",
    };

    /// ECS's.
    pub const OF_ECS: Self = Self {
        mover: "ECS",
        settings: "the service",
        source: "the service",
        task_definition: "taskDefinition of the service",
        container_name: "containerName of the service's load balancer",
        container_port: "containerPort of the service's load balancer",
        side: "service revision",
        route: "listener rule",
        test_listener: "test listener rule",
        get_test_listener: "Give the service a testListenerRule in its load balancer's advancedConfiguration",
        leave_hook_out: "take this hook out of the service's lifecycle hooks",
        on_failure: "failures",
        on_alarm: "alarms (rollback in its deploymentConfiguration's alarms)",
        look_at_sides: "Look at the service's deployments in ECS; one of them must serve production.",
    };
}

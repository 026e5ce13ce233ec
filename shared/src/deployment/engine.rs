//! Who carries a deployment out.

use crate::lifecycle_stage::LifecycleStage;

/// CodeDeploy, or ECS itself. There will not be a third.
#[derive(Clone, Debug, PartialEq)]
pub enum Engine {
    /// CodeDeploy, with task sets and listeners.
    CodeDeploy {
        /// Its application.
        application: String,
        /// Its deployment group.
        group: String,
    },
    /// ECS, with service revisions and listener rules.
    Ecs(NativeDeployment),
}

/// What only a deployment by ECS has.
#[derive(Clone, Debug, PartialEq)]
pub struct NativeDeployment {
    /// ARN of the service deployment.
    pub arn: String,
    /// The stage that the hook was called at.
    pub stage: LifecycleStage,
    /// The header by which Service Connect knows test traffic: name and value.
    pub test_header: Option<(String, String)>,
}

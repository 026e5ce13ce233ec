//! What a hook's function is told.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/lambda-lifecycle-hooks.html#service-deployment-lifecycle-payloads>

use greenlight::lifecycle_stage::LifecycleStage;
use serde_json::{Map, Value, json};

use crate::world::service_deployments::{HookExecution, ServiceDeployment, arn_of_service};
use crate::world::{ACCOUNT, REGION};

/// The event of one execution of a hook. `flat` is the shape of 2025.
pub(super) fn payload(
    deployment: &ServiceDeployment,
    execution: &HookExecution,
    weights: &Weights,
    flat: bool,
) -> Value {
    let service = format!("arn:aws:ecs:{REGION}:{ACCOUNT}:service/{}/{}", deployment.cluster, deployment.service);
    debug_assert!(deployment.target.starts_with(&arn_of_service(
        "service-revision",
        &deployment.cluster,
        &deployment.service,
        ""
    )));
    let details = json!({
        "serviceArn": service,
        "targetServiceRevisionArn": deployment.target,
        "testTrafficWeights": weights.test,
        "productionTrafficWeights": weights.production,
    });
    let mut event = json!({
        "executionId": execution.id,
        "lifecycleStage": execution.stage.name(),
        "resourceArn": deployment.arn,
    });
    if let (Some(event), Value::Object(details)) = (event.as_object_mut(), details) {
        if flat {
            event.extend(details);
        } else {
            event.insert("executionDetails".to_owned(), details.into());
        }
        if let Some(own) = execution.details.clone().filter(|details| !details.is_empty()) {
            event.insert("hookDetails".to_owned(), own.into());
        }
    }
    event
}

/// Shares of traffic by revision; nothing at the stages that say nothing of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Weights {
    test: Map<String, Value>,
    production: Map<String, Value>,
}

impl Weights {
    /// What AWS says at this stage while green has this share of what moves there.
    pub(super) fn at(stage: LifecycleStage, deployment: &ServiceDeployment, green: f64) -> Self {
        let shares = || {
            let target = std::iter::once((deployment.target.clone(), percent(green)));
            // What an earlier deployment has left serves nobody once this one shifts.
            let shares = std::iter::once(100.0 - green).chain(std::iter::repeat(0.0));
            let sources = deployment.sources.iter().zip(shares).map(|(source, share)| (source.clone(), percent(share)));
            target.chain(sources).collect()
        };
        match stage {
            LifecycleStage::TestTrafficShift => Self { test: shares(), ..Self::default() },
            LifecycleStage::PreProductionTrafficShift | LifecycleStage::ProductionTrafficShift => {
                Self { production: shares(), ..Self::default() }
            }
            _ => Self::default(),
        }
    }
}

/// A whole number where it is one.
fn percent(share: f64) -> Value {
    let tenths = (share * 10.0).round() / 10.0;
    if tenths.fract() == 0.0 { json!(tenths as i64) } else { json!(tenths) }
}

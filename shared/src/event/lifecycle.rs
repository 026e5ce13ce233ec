//! The event of a deployment that ECS itself carries out. It has been seen in two shapes, and both are read: with
//! `executionDetails`, and flat. Of its weights nothing is concluded: they are empty at most stages.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/lambda-lifecycle-hooks.html>

use std::fmt;

use serde_json::{Map, Value};

use super::{EventError, kind, text};

const DEPLOYMENT: &str = "resourceArn";
const STAGE: &str = "lifecycleStage";
const DETAILS: &str = "executionDetails";

/// ECS's event. Only the deployment must be in it; the rest is judged with a report that says what is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct LifecycleEvent {
    /// ARN of the service deployment, as it was written.
    pub deployment: String,
    /// The stage's name, as it was written; empty where there is none.
    pub stage: String,
    /// `executionId`: for the log.
    pub execution: Option<String>,
    /// Service revision and share of production traffic in percent; empty at most stages.
    pub production_weights: Vec<(String, f64)>,
    /// `targetServiceRevisionArn`: green, also in a rollback.
    pub target_revision: Option<String>,
    /// `hookDetails`: what the hook's configuration says, and what earlier calls returned. `null` where there are none.
    pub hook_details: Value,
}

impl LifecycleEvent {
    /// Whether this is ECS's event and not CodeDeploy's.
    pub fn is_one(event: &Value) -> bool {
        event.get(DEPLOYMENT).or(event.get(STAGE)).is_some()
    }

    /// Reads it. Further keys are tolerated.
    pub fn read(event: &Value) -> Result<Self, EventError> {
        let Value::Object(keys) = event else { return Err(EventError::NotAnObject(kind(event))) };
        let deployment = text(keys, DEPLOYMENT)?;
        let detail = |name: &str| keys.get(DETAILS).and_then(|it| it.get(name)).or_else(|| keys.get(name));
        let words = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        Ok(Self {
            deployment,
            stage: words(keys.get(STAGE)).unwrap_or_default(),
            execution: words(keys.get("executionId")),
            production_weights: detail("productionTrafficWeights")
                .and_then(Value::as_object)
                .map(weights)
                .unwrap_or_default(),
            target_revision: words(detail("targetServiceRevisionArn")),
            hook_details: keys.get("hookDetails").cloned().unwrap_or_default(),
        })
    }

    /// Whether ECS says that production is wholly on another revision than green. While production shifts, that is a
    /// rollback; anywhere else it means nothing.
    pub fn production_is_off_green(&self) -> bool {
        let share = |weight: &(String, f64)| Some(&weight.0) == self.target_revision.as_ref() && weight.1 > 0.0;
        !self.production_weights.is_empty() && !self.production_weights.iter().any(share)
    }

    /// Green's share of production in percent, where the weights tell.
    pub fn green_percent(&self) -> Option<f64> {
        let green = self.target_revision.as_ref()?;
        self.production_weights.iter().find(|(revision, _)| revision == green).map(|(_, weight)| *weight)
    }
}

fn weights(map: &Map<String, Value>) -> Vec<(String, f64)> {
    map.iter().filter_map(|(revision, weight)| Some((revision.clone(), weight.as_f64()?))).collect()
}

/// `arn:aws:ecs:<region>:<account>:service-deployment/<cluster>/<service>/<id>`, in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceDeploymentArn {
    /// All of it.
    pub arn: String,
    /// The cluster's name.
    pub cluster: String,
    /// The service's name.
    pub service: String,
    /// The deployment's own id.
    pub id: String,
}

impl ServiceDeploymentArn {
    /// `None` for anything else, the ARN of a service among it.
    pub fn parse(arn: &str) -> Option<Self> {
        let (before, path) = arn.split_once(":service-deployment/")?;
        if !before.starts_with("arn:") || !before.contains(":ecs:") {
            return None;
        }
        let [cluster, service, id] = path.split('/').collect::<Vec<_>>().try_into().ok()?;
        let plain =
            |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
        let all = [cluster, service, id];
        all.iter().all(|part| plain(part)).then(|| Self {
            arn: arn.to_owned(),
            cluster: cluster.to_owned(),
            service: service.to_owned(),
            id: id.to_owned(),
        })
    }
}

impl fmt::Display for ServiceDeploymentArn {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.arn)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:ecs:eu-central-1:123456789012:service-deployment/shop/orders/ejGvqq2ilnbKT9qj0vLJe";
    const GREEN: &str = "arn:aws:ecs:eu-central-1:123456789012:service-revision/shop/orders/2";

    #[test]
    fn both_shapes_that_have_been_seen_read_the_same() {
        let details = json!({"targetServiceRevisionArn": GREEN, "productionTrafficWeights": {GREEN: 10}});
        let nested = json!({"executionId": "e-1", "lifecycleStage": "PRE_SCALE_UP", "resourceArn": ARN, "executionDetails": details});
        let mut flat = details.clone();
        for key in ["executionId", "lifecycleStage", "resourceArn"] {
            flat[key] = nested[key].clone();
        }
        let read = LifecycleEvent::read(&nested).expect("an event");
        assert_eq!(read, LifecycleEvent::read(&flat).expect("an event"));
        assert_eq!(read.production_weights, [(GREEN.to_owned(), 10.0)]);
        assert_eq!(read.hook_details, Value::Null);
    }

    #[test]
    fn only_the_deployment_must_be_there() {
        let read = LifecycleEvent::read(&json!({"resourceArn": ARN})).expect("it names a deployment");
        assert_eq!((read.stage.as_str(), read.execution, read.target_revision), ("", None, None));
        let error = LifecycleEvent::read(&json!({"lifecycleStage": "PRE_SCALE_UP"})).expect_err("no deployment");
        assert_eq!(error.to_string(), "the event has no resourceArn; keys seen: lifecycleStage");
    }

    #[test]
    fn codedeploys_event_is_none_of_these() {
        assert!(!LifecycleEvent::is_one(&json!({"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "e-1"})));
        assert!(LifecycleEvent::is_one(&json!({"lifecycleStage": "PRE_SCALE_UP"})));
        assert!(!LifecycleEvent::is_one(&json!("resourceArn")));
    }

    #[test]
    fn production_is_off_green_only_where_weights_say_so() {
        let weighted = |weights: Value| {
            let event =
                json!({"resourceArn": ARN, "targetServiceRevisionArn": GREEN, "productionTrafficWeights": weights});
            LifecycleEvent::read(&event).expect("an event").production_is_off_green()
        };
        assert!(weighted(json!({GREEN: 0, "blue": 100})));
        assert!(weighted(json!({GREEN: 0, "blue": 60, "older": 40})), "three revisions");
        assert!(!weighted(json!({GREEN: 10, "blue": 50, "older": 40})));
        assert!(!weighted(json!({GREEN: 10, "blue": 90})));
        assert!(!weighted(json!({})), "most stages have none");
    }

    #[test]
    fn an_arn_of_something_else_is_no_deployments() {
        let parts = ServiceDeploymentArn::parse(ARN).expect("an ARN");
        assert_eq!(
            (parts.cluster.as_str(), parts.service.as_str(), parts.id.as_str()),
            ("shop", "orders", "ejGvqq2ilnbKT9qj0vLJe")
        );
        for other in [
            "arn:aws:ecs:eu-central-1:123456789012:service/orders",
            "arn:aws:ecs:eu-central-1:123456789012:service/shop/orders",
            "arn:aws:ecs:eu-central-1:123456789012:service-deployment/shop/orders",
            "arn:aws:ecs:eu-central-1:123456789012:service-deployment/shop/orders/a/b",
            "arn:aws:ecs:eu-central-1:123456789012:service-deployment/shop//a",
            "arn:aws:ecs:eu-central-1:123456789012:service-deployment/shop/or ders/a",
            "orders",
            "",
        ] {
            assert_eq!(ServiceDeploymentArn::parse(other), None, "{other}");
        }
    }
}

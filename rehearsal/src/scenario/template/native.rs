//! A service whose deployments ECS itself carries out, as templates define it.

use greenlight::stage::Stage;
use serde_json::{Map, Value, json};

use super::{Stacks, TARGET_GROUP, is_true, number, service_of, whole};
use crate::setup::function_name;

impl Stacks {
    /// As a scenario writes it.
    pub(super) fn native(&self, service: &Value) -> Result<Value, String> {
        let configuration = &service["DeploymentConfiguration"];
        let balancer = &service["LoadBalancers"][0];
        let blue = &balancer["TargetGroupArn"];
        let (blue, target_group) = self
            .referred(TARGET_GROUP, blue)
            .ok_or_else(|| format!("none of the templates has the {TARGET_GROUP} of the service, {blue}"))?;
        let (alarms, breaker) = (&configuration["Alarms"], &configuration["DeploymentCircuitBreaker"]);
        let names = if is_true(&alarms["Enable"]) { alarms["AlarmNames"].as_array() } else { None };
        let rollback = [("alarm", &alarms["Rollback"]), ("failure", &breaker["Rollback"])];
        let rollback: Vec<&str> = rollback.into_iter().filter(|(_, on)| is_true(on)).map(|(event, _)| event).collect();
        let mut deployment = Map::from_iter([
            ("test_listener".to_owned(), (!balancer["AdvancedConfiguration"]["TestListenerRule"].is_null()).into()),
            ("auto_rollback".to_owned(), rollback.into()),
        ]);
        let (key, shift) = shift(configuration)?;
        deployment.insert(key.to_owned(), shift);
        let hooks = Hooks::of(configuration)?;
        Ok(json!({
            "engine": "ecs",
            "service": service_of(service, &service["Cluster"], target_group),
            "deployment": deployment,
            "alarms": self.alarms(names.into_iter().flatten(), blue)?,
            "on_ecs": {
                "bake": minutes(&configuration["BakeTimeInMinutes"], 0),
                "circuit_breaker": is_true(&breaker["Enable"]),
                "hooks": hooks.functions,
                "pauses": hooks.pauses,
            },
            "left_out": hooks.left_out,
        }))
    }
}

fn shift(configuration: &Value) -> Result<(&'static str, Value), String> {
    let percent = |value: &Value, usual| format!("{}%", number(value).unwrap_or(usual));
    match configuration["Strategy"].as_str() {
        Some("BLUE_GREEN") => Ok(("config", "CodeDeployDefault.ECSAllAtOnce".into())),
        Some("CANARY") => {
            let canary = &configuration["CanaryConfiguration"];
            let interval = minutes(&canary["CanaryBakeTimeInMinutes"], 10);
            Ok(("canary", json!({ "percent": percent(&canary["CanaryPercent"], 5.0), "interval": interval })))
        }
        Some("LINEAR") => {
            let linear = &configuration["LinearConfiguration"];
            let interval = minutes(&linear["StepBakeTimeInMinutes"], 6);
            Ok(("linear", json!({ "percent": percent(&linear["StepPercent"], 10.0), "interval": interval })))
        }
        other => Err(format!(
            "the service's deployment strategy is {other:?}; the rehearsal plays BLUE_GREEN, CANARY and LINEAR"
        )),
    }
}

/// What the service's lifecycle hooks call.
#[derive(Default)]
struct Hooks {
    functions: Map<String, Value>,
    pauses: Vec<Value>,
    left_out: Vec<String>,
}

impl Hooks {
    fn of(configuration: &Value) -> Result<Self, String> {
        let mut found = Self::default();
        for hook in configuration["LifecycleHooks"].as_array().into_iter().flatten() {
            let timeout = timeout(&hook["TimeoutConfiguration"]);
            let stages = &hook["LifecycleStages"];
            if hook["TargetType"] == "PAUSE" {
                let pause = |stage: &Value| json!({ "stage": stage, "timeout": timeout });
                found.pauses.extend(stages.as_array().into_iter().flatten().map(pause));
                continue;
            }
            let arn = hook["HookTargetArn"].as_str().unwrap_or_default();
            let of_ours = Stage::ALL.into_iter().find(|stage| arn.ends_with(&format!(":{}", function_name(*stage))));
            let Some(stage) = of_ours else {
                return Err(format!("the lifecycle hook {arn} calls none of greenlight's functions"));
            };
            let details = &hook["HookDetails"];
            found.functions.insert(key(stage), json!({ "stages": stages, "timeout": timeout, "details": details }));
        }
        found.left_out = Stage::ALL.map(key).into_iter().filter(|key| !found.functions.contains_key(key)).collect();
        Ok(found)
    }
}

fn timeout(given: &Value) -> Value {
    if given.is_null() {
        return Value::Null;
    }
    let action = if given["Action"] == "CONTINUE" { "continue" } else { "rollback" };
    json!({ "after": minutes(&given["TimeoutInMinutes"], 1440), "action": action })
}

/// A stage as a scenario's `hooks` have it.
fn key(stage: Stage) -> String {
    stage.hook_name().replace('-', "_")
}

fn minutes(value: &Value, usual: u64) -> String {
    format!("{}m", whole(value).unwrap_or(usual))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::scenario::TemplateSpec;

    #[test]
    fn the_environment_of_ecs_is_read_as_it_would_be_deployed() {
        let files = ["service-native.yaml", "load-balancer.yaml", "cluster.yaml"].map(PathBuf::from).to_vec();
        let parameters = BTreeMap::from([("ImageTag".to_owned(), "1".to_owned())]);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../environment");
        let stacks = Stacks::read(&TemplateSpec { files, parameters }, &folder).expect("templates");
        let document = stacks.document().expect("a scenario");
        assert_eq!((&document["engine"], &document["service"]["name"]), (&json!("ecs"), &json!("orders")));
        assert_eq!(document["deployment"]["config"], "CodeDeployDefault.ECSAllAtOnce");
        assert_eq!(document["deployment"]["auto_rollback"], json!(["alarm", "failure"]));
        assert_eq!(document["deployment"]["test_listener"], true);
        assert_eq!((&document["on_ecs"]["bake"], &document["on_ecs"]["circuit_breaker"]), (&json!("3m"), &json!(true)));
        assert_eq!(
            document["on_ecs"]["hooks"]["before_allow_traffic"]["stages"],
            json!(["PRE_PRODUCTION_TRAFFIC_SHIFT"])
        );
        assert_eq!((&document["left_out"], document["alarms"].as_array().map(Vec::len)), (&json!([]), Some(6)));
    }

    #[test]
    fn what_cannot_be_played_is_refused_by_name() {
        let strategy =
            |strategy: &str| shift(&json!({ "Strategy": strategy })).map(|(key, shift)| (key, shift.to_string()));
        assert_eq!(strategy("CANARY"), Ok(("canary", r#"{"interval":"10m","percent":"5%"}"#.to_owned())));
        assert!(strategy("ROLLING").is_err_and(|error| error.contains("ROLLING")));
        let foreign = json!({ "LifecycleHooks": [{ "HookTargetArn": "arn:aws:lambda:eu-west-1:1:function:smoke" }] });
        assert!(Hooks::of(&foreign).is_err_and(|error| error.ends_with("calls none of greenlight's functions")));
    }
}

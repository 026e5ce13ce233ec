//! What would be deployed: service, deployment group or ECS's own deployment configuration, listeners and alarms as
//! CloudFormation templates define them, in place of what a scenario says of these.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use greenlight::document::{self, Location, Spanned};
use greenlight::plan_source::LABEL;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    AlarmSpec, DeploymentEngine, DeploymentSpec, HookSpec, LifecycleEventName, NativeSpec, Scenario, ServiceSpec,
};
use crate::cloudformation::{Stack, Template};
use crate::text_file;

mod native;

/// Templates, and the parameters that they are deployed with.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateSpec {
    /// The files: that with the deployment group, and those of the stacks that it imports from.
    pub files: Vec<PathBuf>,
    /// Parameters by name; the others have their defaults.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
}

/// What templates define of a scenario.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Defined {
    service: ServiceSpec,
    deployment: DeploymentSpec,
    alarms: Vec<AlarmSpec>,
    #[serde(default)]
    engine: DeploymentEngine,
    #[serde(default)]
    on_ecs: NativeSpec,
    /// Functions of greenlight's that are not called.
    #[serde(default)]
    left_out: Vec<LifecycleEventName>,
}

/// Puts what the templates define in the place of what the scenario says of it. Whatever they do not define stays: the
/// commands, the database, the migrations, HTTPS. Returns the plan that the version brings, with its name in messages.
pub(super) fn define(
    scenario: &mut Scenario,
    spec: &TemplateSpec,
    folder: &Path,
) -> Result<Option<(PathBuf, String)>, String> {
    let stacks = Stacks::read(spec, folder)?;
    let document = stacks.document()?;
    let defined: Defined = document::parse(&document.to_string(), "template")
        .map_err(|mistakes| format!("what the templates define cannot be rehearsed: {}", mistakes.first().message()))?;
    let Defined { service, deployment, alarms, engine, on_ecs, left_out } = defined;
    let own = std::mem::take(&mut scenario.service);
    scenario.service = ServiceSpec {
        name: service.name,
        cluster: service.cluster,
        desired_count: service.desired_count,
        health_check: service.health_check,
        deregistration_delay: service.deregistration_delay,
        health_check_grace_period: service.health_check_grace_period,
        ..own
    };
    let own = std::mem::take(&mut scenario.deployment);
    scenario.deployment = DeploymentSpec {
        config: deployment.config,
        canary: deployment.canary,
        linear: deployment.linear,
        auto_rollback: deployment.auto_rollback,
        termination_wait: deployment.termination_wait,
        test_listener: deployment.test_listener,
        ..own
    };
    scenario.alarms = Some(alarms);
    scenario.engine = engine;
    if engine == DeploymentEngine::Ecs {
        let own = std::mem::take(&mut scenario.on_ecs);
        scenario.on_ecs = NativeSpec { stop: own.stop, expect: own.expect, ..on_ecs };
        let none = || Some(Spanned::new(true, Location::UNKNOWN, Location::UNKNOWN));
        scenario
            .hooks
            .extend(left_out.into_iter().map(|event| (event, HookSpec { none: none(), ..HookSpec::default() })));
    }
    Ok(stacks.plan())
}

struct Stacks(Vec<Stack>);

impl Stacks {
    fn read(spec: &TemplateSpec, folder: &Path) -> Result<Self, String> {
        let templates: Vec<Template> = spec
            .files
            .iter()
            .map(|file| {
                let file = folder.join(file);
                let text = text_file::read(&file).map_err(|error| error.of(&file))?;
                Template::parse(&text, &file.display().to_string()).map_err(|error| error.to_string())
            })
            .collect::<Result<_, String>>()?;
        if let Some(unknown) = spec.parameters.keys().find(|name| !templates.iter().any(|it| it.has_parameter(name))) {
            return Err(format!("none of the templates has a parameter `{unknown}`"));
        }
        let mut exports = BTreeMap::new();
        for template in &templates {
            let stack = template.sketched_beside(&BTreeMap::new(), &spec.parameters).map_err(|it| it.to_string())?;
            exports.extend(stack.exports);
        }
        let stacks = templates.iter().map(|it| it.sketched_beside(&exports, &spec.parameters));
        Ok(Self(stacks.collect::<Result<_, _>>().map_err(|error| error.to_string())?))
    }

    fn all<'s>(&'s self, kind: &'s str) -> impl Iterator<Item = (&'s str, &'s Value)> {
        self.0.iter().flat_map(move |stack| stack.of_kind(kind))
    }

    fn one<'s>(&'s self, kind: &'s str) -> Result<&'s Value, String> {
        let (_, found) = self.all(kind).next().ok_or_else(|| format!("none of the templates has an {kind}"))?;
        Ok(found)
    }

    /// A resource that a value refers to: `TargetGroup1.Arn`.
    fn referred<'s>(&'s self, kind: &'s str, reference: &Value) -> Option<(&'s str, &'s Value)> {
        let id = reference.as_str()?.split('.').next()?;
        self.all(kind).find(|(name, _)| *name == id)
    }

    /// The label of whichever container of the task definition has one.
    fn plan(&self) -> Option<(PathBuf, String)> {
        let (id, definition) = self.all("AWS::ECS::TaskDefinition").next()?;
        let containers = definition["ContainerDefinitions"].as_array()?;
        let plan = containers.iter().find_map(|container| container["DockerLabels"][LABEL].as_str())?;
        Some((PathBuf::from(format!("label {LABEL} of {id}")), plan.to_owned()))
    }

    /// As a scenario writes it.
    fn document(&self) -> Result<Value, String> {
        let service = self.one("AWS::ECS::Service")?;
        if service["DeploymentController"]["Type"] == "ECS" {
            return self.native(service);
        }
        let group = self.one("AWS::CodeDeploy::DeploymentGroup")?;
        let blue = &service["LoadBalancers"][0]["TargetGroupArn"];
        let (blue, target_group) = self
            .referred(TARGET_GROUP, blue)
            .ok_or_else(|| format!("none of the templates has the {TARGET_GROUP} of the service, {blue}"))?;
        Ok(json!({
            "service": service_of(service, &group["ECSServices"][0]["ClusterName"], target_group),
            "deployment": self.deployment(group)?,
            "alarms": self.alarms_of_group(group, blue)?,
        }))
    }

    fn deployment(&self, group: &Value) -> Result<Value, String> {
        let pair = &group["LoadBalancerInfo"]["TargetGroupPairInfoList"][0];
        let blue_green = &group["BlueGreenDeploymentConfiguration"]["TerminateBlueInstancesOnDeploymentSuccess"];
        let rollback = &group["AutoRollbackConfiguration"];
        let events = if is_true(&rollback["Enabled"]) { rollback["Events"].as_array() } else { None };
        let event = |event: &Value| match event.as_str() {
            Some("DEPLOYMENT_FAILURE") => "failure",
            Some("DEPLOYMENT_STOP_ON_ALARM") => "alarm",
            _ => "request",
        };
        let events: Vec<&str> = events.into_iter().flatten().map(event).collect();
        let minutes = number(&blue_green["TerminationWaitTimeInMinutes"]).unwrap_or_default();
        let mut deployment = Map::from_iter([
            ("test_listener".to_owned(), pair["TestTrafficRoute"].is_object().into()),
            ("auto_rollback".to_owned(), events.into()),
            ("termination_wait".to_owned(), format!("{minutes}m").into()),
        ]);
        let config = &group["DeploymentConfigName"];
        let own = self.all("AWS::CodeDeploy::DeploymentConfig").find(|(_, it)| it["DeploymentConfigName"] == *config);
        match own.map(|(_, own)| &own["TrafficRoutingConfig"]) {
            None => _ = deployment.insert("config".to_owned(), config.clone()),
            Some(routing) => {
                let (key, kind) = match routing["Type"].as_str() {
                    Some("TimeBasedLinear") => ("linear", "Linear"),
                    Some("TimeBasedCanary") => ("canary", "Canary"),
                    other => return Err(format!("{config} shifts by {other:?}, neither canary nor linear")),
                };
                let shift = &routing[format!("TimeBased{kind}")];
                let value = |name: &str| number(&shift[format!("{kind}{name}")]).unwrap_or_default();
                let shift = json!({
                    "percent": format!("{}%", value("Percentage")),
                    "interval": format!("{}m", value("Interval")),
                });
                deployment.insert(key.to_owned(), shift);
            }
        }
        Ok(deployment.into())
    }

    fn alarms_of_group(&self, group: &Value, blue: &str) -> Result<Vec<Value>, String> {
        let watched = &group["AlarmConfiguration"];
        let watched = if is_true(&watched["Enabled"]) { watched["Alarms"].as_array() } else { None };
        self.alarms(watched.into_iter().flatten().map(|alarm| &alarm["Name"]), blue)
    }

    /// Those of these names.
    fn alarms<'v>(&self, names: impl Iterator<Item = &'v Value>, blue: &str) -> Result<Vec<Value>, String> {
        names
            .map(|name| {
                let known = self.all("AWS::CloudWatch::Alarm").find(|(_, it)| it["AlarmName"] == *name);
                let (_, alarm) = known.ok_or_else(|| format!("none of the templates has the alarm {name}"))?;
                self.alarm(alarm, blue)
            })
            .collect()
    }

    fn alarm(&self, alarm: &Value, blue: &str) -> Result<Value, String> {
        let group = alarm["Dimensions"].as_array().into_iter().flatten().find(|it| it["Name"] == "TargetGroup");
        let of = match group {
            None => "load_balancer",
            Some(group) => match self.referred(TARGET_GROUP, &group["Value"]) {
                Some((id, _)) if id == blue => "blue",
                _ => "green",
            },
        };
        let threshold = number(&alarm["Threshold"]).unwrap_or_default();
        let at_least = match alarm["ComparisonOperator"].as_str() {
            Some("GreaterThanOrEqualToThreshold") => threshold,
            // The least that is more.
            Some("GreaterThanThreshold") => threshold.next_up(),
            other => return Err(format!("the alarm {} compares by {other:?}", alarm["AlarmName"])),
        };
        let statistic = [&alarm["Statistic"], &alarm["ExtendedStatistic"]].into_iter().find(|it| !it.is_null());
        Ok(json!({
            "name": alarm["AlarmName"],
            "metric": alarm["MetricName"],
            "of": of,
            "statistic": statistic,
            "at_least": at_least,
            "period": seconds(&alarm["Period"]),
            "periods": whole(&alarm["EvaluationPeriods"]),
        }))
    }
}

const TARGET_GROUP: &str = "AWS::ElasticLoadBalancingV2::TargetGroup";

fn service_of(service: &Value, cluster: &Value, target_group: &Value) -> Value {
    let attributes = target_group["TargetGroupAttributes"].as_array().into_iter().flatten();
    let mut delay = attributes.filter(|it| it["Key"] == "deregistration_delay.timeout_seconds");
    let or = |value: &Value, usual: Value| if value.is_null() { usual } else { value.clone() };
    json!({
        "name": service["ServiceName"],
        "cluster": cluster,
        "desired_count": whole(&service["DesiredCount"]),
        "health_check_grace_period": seconds(&service["HealthCheckGracePeriodSeconds"]),
        "deregistration_delay": delay.next().map_or_else(|| json!("300s"), |delay| seconds(&delay["Value"])),
        // What is left out is as the load balancer has it.
        "health_check": {
            "path": or(&target_group["HealthCheckPath"], json!("/")),
            "interval": seconds(&or(&target_group["HealthCheckIntervalSeconds"], json!(30))),
            "timeout": seconds(&or(&target_group["HealthCheckTimeoutSeconds"], json!(5))),
            "healthy": whole(&or(&target_group["HealthyThresholdCount"], json!(5))),
            "unhealthy": whole(&or(&target_group["UnhealthyThresholdCount"], json!(2))),
            "matcher": or(&target_group["Matcher"]["HttpCode"], json!("200")),
        },
    })
}

/// Parameters are texts, also where they are numbers.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn seconds(value: &Value) -> Value {
    format!("{}s", number(value).unwrap_or_default()).into()
}

fn is_true(value: &Value) -> bool {
    *value == true || *value == "true"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(stage: &str, files: &[&str]) -> Result<Value, String> {
        let spec = TemplateSpec {
            files: files.iter().map(PathBuf::from).collect(),
            parameters: BTreeMap::from([("Stage".to_owned(), stage.to_owned())]),
        };
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../environment");
        Stacks::read(&spec, &folder).and_then(|stacks| stacks.document())
    }

    const FILES: [&str; 2] = ["service-codedeploy.yaml", "load-balancer.yaml"];

    #[test]
    fn the_environment_is_read_as_it_would_be_deployed() {
        let document = environment("prod", &FILES).expect("a scenario");
        assert_eq!(
            document["service"]["health_check"],
            json!({ "path": "/health", "interval": "30s", "timeout": "5s", "healthy": 2, "unhealthy": 3, "matcher": "200" })
        );
        assert_eq!(document["service"]["name"], "orders");
        assert_eq!(document["service"]["deregistration_delay"], "60s");
        assert_eq!(document["deployment"]["linear"], json!({ "percent": "10%", "interval": "5m" }));
        assert_eq!(document["deployment"]["auto_rollback"], json!(["failure", "alarm", "request"]));
        assert_eq!(document["deployment"]["test_listener"], true);
        let alarms: Vec<_> = document["alarms"].as_array().expect("a list").iter().map(|it| it["of"].clone()).collect();
        assert_eq!(alarms, ["blue", "green", "blue", "green", "load_balancer", "load_balancer"]);
    }

    #[test]
    fn a_parameter_chooses_the_stage() {
        let document = environment("staging", &FILES).expect("a scenario");
        assert_eq!(document["deployment"]["config"], "CodeDeployDefault.ECSCanary10Percent5Minutes");
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = environment("prod", &FILES[..1]).unwrap_err();
        assert!(error.starts_with("none of the templates has the AWS::ElasticLoadBalancingV2::TargetGroup"), "{error}");
        let error = environment("prod", &["network.yaml"]).unwrap_err();
        assert_eq!(error, "none of the templates has a parameter `Stage`");
    }
}

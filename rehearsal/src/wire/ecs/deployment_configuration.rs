//! `deploymentConfiguration`, as a client gives it and is told it.

use std::time::Duration;

use greenlight::lifecycle_stage::LifecycleStage;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::invalid;
use crate::wire::refusal::Refusal;
use crate::world::deployment_configuration::{
    CircuitBreaker, DeploymentAlarms, DeploymentConfiguration as Known, HookAction, HookTarget, HookTimeout,
    LifecycleHook, Strategy,
};

/// Every member is optional in what a client gives: what is not there stays as it is.
#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DeploymentConfiguration {
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment_circuit_breaker: Option<Breaker>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum_percent: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum_healthy_percent: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alarms: Option<Alarms>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strategy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bake_time_in_minutes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifecycle_hooks: Option<Vec<Hook>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    linear_configuration: Option<Linear>,
    #[serde(skip_serializing_if = "Option::is_none")]
    canary_configuration: Option<Canary>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Breaker {
    enable: bool,
    rollback: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Alarms {
    alarm_names: Vec<String>,
    enable: bool,
    rollback: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Linear {
    step_percent: Option<f64>,
    step_bake_time_in_minutes: Option<u64>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Canary {
    canary_percent: Option<f64>,
    canary_bake_time_in_minutes: Option<u64>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Hook {
    #[serde(skip_serializing_if = "Option::is_none")]
    target_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hook_target_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role_arn: Option<String>,
    lifecycle_stages: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hook_details: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_configuration: Option<Timeout>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Timeout {
    timeout_in_minutes: Option<u64>,
    action: Option<String>,
}

impl DeploymentConfiguration {
    /// What a client is told; of a service that CodeDeploy deploys it is hardly anything.
    pub(super) fn of(known: Option<&Known>) -> Self {
        let percents = Self { maximum_percent: Some(200), minimum_healthy_percent: Some(100), ..Self::default() };
        let Some(known) = known else { return percents };
        let (mut linear, mut canary) = (None, None);
        match known.strategy {
            Strategy::BlueGreen => {}
            Strategy::Canary { percent, bake } => {
                canary =
                    Some(Canary { canary_percent: Some(percent), canary_bake_time_in_minutes: Some(minutes(bake)) });
            }
            Strategy::Linear { percent, bake } => {
                linear = Some(Linear { step_percent: Some(percent), step_bake_time_in_minutes: Some(minutes(bake)) });
            }
        }
        Self {
            deployment_circuit_breaker: Some(Breaker {
                enable: known.circuit_breaker.is_some(),
                rollback: known.circuit_breaker.is_some_and(|breaker| breaker.rollback),
            }),
            alarms: Some(Alarms {
                alarm_names: known.alarms.as_ref().map(|alarms| alarms.names.clone()).unwrap_or_default(),
                enable: known.alarms.is_some(),
                rollback: known.alarms.as_ref().is_some_and(|alarms| alarms.rollback),
            }),
            strategy: Some(known.strategy.name().to_owned()),
            bake_time_in_minutes: Some(minutes(known.bake)),
            lifecycle_hooks: Some(known.hooks.iter().map(Hook::of).collect()),
            linear_configuration: linear,
            canary_configuration: canary,
            ..percents
        }
    }

    /// The present configuration with what the client wants in it.
    pub(super) fn applied_to(self, present: &Known) -> Result<Known, Refusal> {
        let strategy = self.strategy(present.strategy)?;
        let bake = match self.bake_time_in_minutes {
            Some(most @ 0..=1440) => Duration::from_secs(most * 60),
            Some(_) => return Err(invalid("bakeTimeInMinutes must be between 0 and 1440")),
            None => present.bake,
        };
        let hooks = self.lifecycle_hooks.map(|hooks| hooks.into_iter().map(Hook::read).collect::<Result<_, _>>());
        let alarms = self.alarms.map(|it| {
            (it.enable && !it.alarm_names.is_empty())
                .then_some(DeploymentAlarms { names: it.alarm_names, rollback: it.rollback })
        });
        let breaker = self.deployment_circuit_breaker;
        let breaker = breaker.map(|it| it.enable.then_some(CircuitBreaker { rollback: it.rollback }));
        Ok(Known {
            strategy,
            bake,
            hooks: hooks.unwrap_or_else(|| Ok(present.hooks.clone()))?,
            alarms: alarms.unwrap_or_else(|| present.alarms.clone()),
            circuit_breaker: breaker.unwrap_or(present.circuit_breaker),
        })
    }

    /// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CanaryConfiguration.html>
    fn strategy(&self, present: Strategy) -> Result<Strategy, Refusal> {
        let wait = |minutes: Option<u64>, usual| match minutes.unwrap_or(usual) {
            most @ 0..=1440 => Ok(Duration::from_secs(most * 60)),
            _ => Err(invalid("a bake time between steps must be between 0 and 1440 minutes")),
        };
        match self.strategy.as_deref().unwrap_or(present.name()) {
            "BLUE_GREEN" => Ok(Strategy::BlueGreen),
            "CANARY" => {
                let Some(given) = &self.canary_configuration else {
                    let usual = Strategy::Canary { percent: 5.0, bake: Duration::from_secs(600) };
                    return Ok(if present.name() == "CANARY" { present } else { usual });
                };
                let percent = given.canary_percent.unwrap_or(5.0);
                if !(0.1..=100.0).contains(&percent) {
                    return Err(invalid("canaryPercent must be between 0.1 and 100.0"));
                }
                Ok(Strategy::Canary { percent, bake: wait(given.canary_bake_time_in_minutes, 10)? })
            }
            "LINEAR" => {
                let Some(given) = &self.linear_configuration else {
                    let usual = Strategy::Linear { percent: 10.0, bake: Duration::from_secs(360) };
                    return Ok(if present.name() == "LINEAR" { present } else { usual });
                };
                let percent = given.step_percent.unwrap_or(10.0);
                if !(3.0..=100.0).contains(&percent) {
                    return Err(invalid("stepPercent must be between 3.0 and 100.0"));
                }
                Ok(Strategy::Linear { percent, bake: wait(given.step_bake_time_in_minutes, 6)? })
            }
            "ROLLING" => Err(invalid("the rehearsal plays no rolling updates: BLUE_GREEN, CANARY or LINEAR")),
            other => Err(invalid(&format!("{other} is no deployment strategy"))),
        }
    }
}

impl Hook {
    fn of(known: &LifecycleHook) -> Self {
        let (target_type, hook_target_arn, role_arn, hook_details) = match &known.target {
            HookTarget::Function { arn, role, details } => {
                ("AWS_LAMBDA", Some(arn.clone()), Some(role.clone()), details.clone())
            }
            HookTarget::Pause => ("PAUSE", None, None, None),
        };
        Self {
            target_type: Some(target_type.to_owned()),
            hook_target_arn,
            role_arn,
            lifecycle_stages: known.stages.iter().map(|stage| stage.name().to_owned()).collect(),
            hook_details,
            timeout_configuration: Some(Timeout {
                timeout_in_minutes: Some(minutes(known.timeout.after)),
                action: Some(known.timeout.action.name().to_owned()),
            }),
        }
    }

    fn read(self) -> Result<LifecycleHook, Refusal> {
        let target = match self.target_type.as_deref().unwrap_or("AWS_LAMBDA") {
            "AWS_LAMBDA" => HookTarget::Function {
                arn: self.hook_target_arn.ok_or_else(|| invalid("hookTargetArn must be specified"))?,
                role: self.role_arn.ok_or_else(|| invalid("roleArn must be specified"))?,
                details: self.hook_details,
            },
            "PAUSE" => HookTarget::Pause,
            other => return Err(invalid(&format!("{other} is no target type of a lifecycle hook"))),
        };
        let takes = |stage: LifecycleStage| match target {
            HookTarget::Function { .. } => stage.takes_functions(),
            HookTarget::Pause => stage.takes_pauses(),
        };
        let stage = |name: &String| {
            let named = LifecycleStage::named(name).filter(|stage| takes(*stage));
            named.ok_or_else(|| invalid(&format!("{name} is no lifecycle stage for this hook")))
        };
        let stages = self.lifecycle_stages.iter().map(stage).collect::<Result<Vec<_>, _>>()?;
        if stages.is_empty() {
            return Err(invalid("lifecycleStages must be specified"));
        }
        Ok(LifecycleHook { timeout: timeout(self.timeout_configuration, &target)?, target, stages })
    }
}

/// A function has a day at most, a person two weeks.
fn timeout(given: Option<Timeout>, target: &HookTarget) -> Result<HookTimeout, Refusal> {
    let Some(given) = given else { return Ok(HookTimeout::DEFAULT) };
    let most = if *target == HookTarget::Pause { 20_160 } else { 1440 };
    let after = given.timeout_in_minutes.unwrap_or(1440);
    if !(1..=most).contains(&after) {
        return Err(invalid(&format!("timeoutInMinutes must be between 1 and {most}")));
    }
    Ok(HookTimeout {
        after: Duration::from_secs(after * 60),
        action: action(given.action.as_deref(), HookAction::Rollback)?,
    })
}

/// `CONTINUE` or `ROLLBACK`; the usual one where nothing is said.
pub(super) fn action(given: Option<&str>, usual: HookAction) -> Result<HookAction, Refusal> {
    match given {
        None => Ok(usual),
        Some("CONTINUE") => Ok(HookAction::Continue),
        Some("ROLLBACK") => Ok(HookAction::Rollback),
        Some(other) => Err(invalid(&format!("{other} is neither CONTINUE nor ROLLBACK"))),
    }
}

fn minutes(duration: Duration) -> u64 {
    duration.as_secs() / 60
}

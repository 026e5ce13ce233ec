//! From CodeDeploy to ECS: the `deploymentConfiguration` that does what an AppSpec and its deployment group do, and what is
//! not the same then.

use std::time::Duration;

use greenlight::appspec::AppSpec;
use greenlight::stage::Stage;

use crate::codedeploy::engine::in_words;
use crate::scenario::Scenario;
use crate::scenario::native::counterpart;
use crate::world::deployment_configuration::{
    CircuitBreaker, DeploymentAlarms, DeploymentConfiguration, HookAction, HookTarget, HookTimeout, LifecycleHook,
    Strategy,
};
use crate::world::deployments::RollbackEvent;

/// The longest bake, and the longest time between two steps, that ECS takes.
const LONGEST: Duration = Duration::from_secs(1440 * 60);
/// How long CodeDeploy waits for a hook's answer.
const HOUR: HookTimeout = HookTimeout { after: Duration::from_secs(3600), action: HookAction::Rollback };
/// The smallest step of a linear deployment of ECS, in percent.
const SMALLEST_STEP: f64 = 3.0;

/// What a deployment group says.
#[derive(Clone, Debug)]
pub struct Group {
    /// How it shifts, in ECS's words.
    pub strategy: Strategy,
    /// How long blue is kept.
    pub kept: Duration,
    /// What rolls back by itself; `None` for nothing.
    pub rolls_back: Option<Vec<RollbackEvent>>,
    /// Names of its alarms.
    pub alarms: Vec<String>,
    /// Whether it has a test listener.
    pub test_listener: bool,
}

/// What comes of a conversion.
#[derive(Clone, Debug)]
pub struct Conversion {
    /// How ECS carries the deployments out.
    pub configuration: DeploymentConfiguration,
    /// What has no counterpart.
    pub missing: Vec<String>,
    /// What behaves differently.
    pub different: Vec<String>,
}

impl Group {
    /// The group of a scenario, which may have been read from templates.
    pub fn of(scenario: &Scenario, alarms: &[String]) -> Self {
        let named = scenario.alarms.iter().flatten().map(|alarm| alarm.name.clone());
        Self {
            strategy: scenario.strategy(),
            kept: scenario.deployment.kept(),
            rolls_back: scenario.deployment.rollback_events(),
            alarms: named.chain(alarms.iter().cloned()).collect(),
            test_listener: scenario.deployment.test_listener,
        }
    }

    fn has(&self, event: RollbackEvent) -> bool {
        self.rolls_back.as_ref().is_some_and(|events| events.contains(&event))
    }
}

/// Converts. `role` is the ARN of the role that ECS calls the functions with.
pub fn convert(spec: &AppSpec, group: &Group, role: &str) -> Conversion {
    let mut conversion = Conversion {
        configuration: DeploymentConfiguration {
            strategy: group.strategy,
            bake: group.kept,
            hooks: hooks(spec, role),
            alarms: (!group.alarms.is_empty()).then(|| DeploymentAlarms {
                names: group.alarms.clone(),
                rollback: group.has(RollbackEvent::StopOnAlarm),
            }),
            circuit_breaker: Some(CircuitBreaker { rollback: group.has(RollbackEvent::Failure) }),
        },
        missing: Vec::new(),
        different: Vec::new(),
    };
    conversion.fit();
    conversion.tell_missing(spec, group);
    conversion.tell_different(spec, group);
    conversion
}

/// Each function once, at the stage that does what its event does, in the order in which CodeDeploy calls them.
fn hooks(spec: &AppSpec, role: &str) -> Vec<LifecycleHook> {
    let at = |stage: Stage| spec.hooks.iter().filter(move |(event, _)| event == stage.event_name());
    let hook = |(event, function): &(String, String)| LifecycleHook {
        target: HookTarget::Function {
            arn: function_arn(function, &spec.task_definition),
            role: role.to_owned(),
            details: None,
        },
        stages: counterpart(event).into_iter().collect(),
        timeout: HOUR,
    };
    Stage::ALL.into_iter().flat_map(at).map(hook).collect()
}

/// An AppSpec may name a function; a hook needs its ARN, which is of the task definition's Region and account.
fn function_arn(function: &str, task_definition: &str) -> String {
    if function.starts_with("arn:") {
        return function.to_owned();
    }
    let place: Vec<&str> = task_definition.split(':').collect();
    let (partition, region, account) = match place.as_slice() {
        [_, partition, _, region, account, ..] => (*partition, *region, *account),
        _ => ("aws", "REGION", "ACCOUNT"),
    };
    format!("arn:{partition}:lambda:{region}:{account}:function:{function}")
}

impl Conversion {
    /// Cuts what ECS does not take, and says so.
    fn fit(&mut self) {
        let Self { configuration, missing, .. } = self;
        let mut cut = |wait: &mut Duration, what: &str| {
            if *wait > LONGEST {
                missing.push(format!("{what} of {}: ECS takes {} at most", in_words(*wait), in_words(LONGEST)));
                *wait = LONGEST;
            }
        };
        cut(&mut configuration.bake, "a wait before blue is terminated");
        match &mut configuration.strategy {
            Strategy::BlueGreen => {}
            Strategy::Canary { bake, .. } => cut(bake, "a canary"),
            Strategy::Linear { percent, bake } => {
                cut(bake, "a time between steps");
                if *percent < SMALLEST_STEP {
                    missing.push(format!("steps of {percent} %: ECS takes {SMALLEST_STEP} % at least"));
                    *percent = SMALLEST_STEP;
                }
            }
        }
    }

    fn tell_missing(&mut self, spec: &AppSpec, group: &Group) {
        let none = "The service itself names them: task definition, container and port are no part of it";
        self.missing.push(format!("TaskDefinition and LoadBalancerInfo of the AppSpec. {none}"));
        let without = group.rolls_back.is_none() || !group.has(RollbackEvent::Failure);
        if without && !spec.hooks.is_empty() {
            self.missing
                .push("a deployment that fails and is not rolled back: a hook that says no always rolls back".into());
        }
        if group.has(RollbackEvent::StopOnRequest) {
            self.missing.push(
                "DEPLOYMENT_STOP_ON_REQUEST: whoever stops a deployment says whether it goes back (StopServiceDeployment, \
                 stopType)"
                    .into(),
            );
        }
    }

    fn tell_different(&mut self, spec: &AppSpec, group: &Group) {
        let calls = |event: &str| spec.hooks.iter().any(|(named, _)| named == event);
        let mut tell = |text: String| self.different.push(text);
        if !spec.hooks.is_empty() {
            tell("functions answer by what they return, {\"hookStatus\": \"SUCCEEDED\"}; whatever else they return, and an \
                  error, rolls back at once instead of waiting for an hour"
                .into());
            tell("functions are called with the role that is named here, not with CodeDeploy's service role: it must allow \
                  lambda:InvokeFunction"
                .into());
        }
        if spec.hooks.iter().any(|(_, function)| function.contains("greenlight")) {
            tell(
                "greenlight's functions look for a plan in /greenlight/CLUSTER/SERVICE, no more in \
                  /greenlight/APPLICATION/GROUP"
                    .into(),
            );
            tell(
                "a plan may use secrets whose names begin with CLUSTER/SERVICE/, no more with APPLICATION/, and those whose \
                  tag greenlight:applications names CLUSTER/SERVICE: tag them before the first deployment"
                    .into(),
            );
        }
        let steps = self.configuration.strategy.steps().len();
        if calls("BeforeAllowTraffic") && steps > 1 {
            tell(format!(
                "BeforeAllowTraffic is called {steps} times, before every step; a function that migrates may be called at \
                 PRE_SCALE_UP instead, which is reached once"
            ));
        }
        if calls("AfterAllowTestTraffic") && !group.test_listener {
            tell("AfterAllowTestTraffic is called although there is no test listener; CodeDeploy leaves it out".into());
        }
        tell(
            "BAKE_TIME takes the place of the wait before blue is terminated; a rollback is possible until it ends"
                .into(),
        );
        if !group.alarms.is_empty() {
            tell("an alarm that fires already does not stop a deployment".into());
        }
        tell("tasks that fail again and again end a deployment: the circuit breaker is on".into());
        tell("a rollback is the same deployment and no new one: its status says so, green stays the target, and functions at \
              TEST_TRAFFIC_SHIFT and PRODUCTION_TRAFFIC_SHIFT are called again"
            .into());
        tell("traffic is moved by the weights of listener rules, not of listeners: the service's loadBalancers need \
              advancedConfiguration with alternateTargetGroupArn, productionListenerRule and, for tests, testListenerRule, \
              and the deployment controller is ECS"
            .into());
    }
}

#[cfg(test)]
mod tests {
    use greenlight::lifecycle_stage::LifecycleStage;

    use super::*;

    fn spec(hooks: &[(&str, &str)]) -> AppSpec {
        AppSpec {
            task_definition: "arn:aws-cn:ecs:cn-north-1:123456789012:task-definition/orders:7".to_owned(),
            container_name: "app".to_owned(),
            container_port: 8080,
            hooks: hooks.iter().map(|(event, function)| ((*event).to_owned(), (*function).to_owned())).collect(),
        }
    }

    fn group(strategy: Strategy) -> Group {
        Group {
            strategy,
            kept: Duration::from_secs(300),
            rolls_back: Some(vec![RollbackEvent::Failure]),
            alarms: vec!["orders-5xx".to_owned()],
            test_listener: true,
        }
    }

    #[test]
    fn a_function_that_is_named_gets_the_arn_of_the_task_definitions_place() {
        let arn = "arn:aws:lambda:eu-west-1:1:function:x:live";
        let conversion =
            convert(&spec(&[("AfterInstall", arn), ("BeforeInstall", "y")]), &group(Strategy::BlueGreen), "r");
        let named: Vec<_> = conversion
            .configuration
            .hooks
            .iter()
            .map(|hook| match &hook.target {
                HookTarget::Function { arn, .. } => (arn.as_str(), hook.stages.clone()),
                HookTarget::Pause => panic!("a pause"),
            })
            .collect();
        assert_eq!(
            named,
            [
                ("arn:aws-cn:lambda:cn-north-1:123456789012:function:y", vec![LifecycleStage::PreScaleUp]),
                (arn, vec![LifecycleStage::PostScaleUp]),
            ]
        );
    }

    #[test]
    fn rollback_by_alarm_and_by_failure_are_kept_apart() {
        let configuration = convert(&spec(&[]), &group(Strategy::BlueGreen), "r").configuration;
        assert!(!configuration.alarms.expect("it has one").rollback);
        assert!(configuration.circuit_breaker.expect("it is on").rollback);
    }

    #[test]
    fn what_ecs_does_not_take_is_cut_and_told() {
        let days = Duration::from_secs(2 * 24 * 3600);
        let conversion =
            convert(&spec(&[]), &Group { kept: days, ..group(Strategy::Linear { percent: 1.0, bake: days }) }, "r");
        assert_eq!(conversion.configuration.bake, LONGEST);
        assert_eq!(conversion.configuration.strategy, Strategy::Linear { percent: 3.0, bake: LONGEST });
        assert_eq!(
            conversion.missing[..3],
            [
                "a wait before blue is terminated of 48 hours: ECS takes 24 hours at most",
                "a time between steps of 48 hours: ECS takes 24 hours at most",
                "steps of 1 %: ECS takes 3 % at least",
            ]
        );
    }
}

//! How ECS deploys a service by itself: `deploymentConfiguration`, and the target groups and rules it moves traffic with.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html>

use std::time::Duration;

use greenlight::lifecycle_stage::LifecycleStage;
use serde_json::{Map, Value};

/// Who carries out a service's deployments: its `deploymentController`.
#[derive(Clone, Debug, PartialEq)]
pub enum Controller {
    /// `CODE_DEPLOY`.
    CodeDeploy,
    /// `ECS`.
    Ecs(Box<NativeService>),
}

/// What a service has whose deployments ECS carries out.
#[derive(Clone, Debug, PartialEq)]
pub struct NativeService {
    /// ARN of the target group that its `loadBalancers` name first. Which revision uses it changes with every deployment.
    pub target_group: String,
    /// ARN of the other one, `alternateTargetGroupArn`.
    pub alternate_target_group: String,
    /// ARN of the rule that users come through, `productionListenerRule`.
    pub production_rule: String,
    /// ARN of the rule that tests come through, `testListenerRule`, where there is one.
    pub test_rule: Option<String>,
    /// How the next deployment is carried out.
    pub configuration: DeploymentConfiguration,
}

/// `deploymentConfiguration`. A deployment keeps the one it began with.
#[derive(Clone, Debug, PartialEq)]
pub struct DeploymentConfiguration {
    /// How production moves.
    pub strategy: Strategy,
    /// How long both run after all of production has moved.
    pub bake: Duration,
    /// Hooks, in the order they were named.
    pub hooks: Vec<LifecycleHook>,
    /// Alarms that end a deployment; `None` where none are looked at.
    pub alarms: Option<DeploymentAlarms>,
    /// What ends a deployment whose tasks keep failing; `None` where nothing does.
    pub circuit_breaker: Option<CircuitBreaker>,
}

/// `strategy`, with its own configuration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Strategy {
    /// All of production at once: `BLUE_GREEN`.
    BlueGreen,
    /// A share first, then the rest: `CANARY`.
    Canary {
        /// The share, in percent: 0.1 to 100.
        percent: f64,
        /// How long only that share is on green.
        bake: Duration,
    },
    /// In equal steps: `LINEAR`.
    Linear {
        /// Share of a step, in percent: 3 to 100.
        percent: f64,
        /// Time between two steps.
        bake: Duration,
    },
}

/// `alarms`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentAlarms {
    /// Names.
    pub names: Vec<String>,
    /// Whether a deployment that they end is rolled back.
    pub rollback: bool,
}

/// `deploymentCircuitBreaker`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CircuitBreaker {
    /// Whether a deployment that it ends is rolled back.
    pub rollback: bool,
}

/// `lifecycleHooks[]`.
#[derive(Clone, Debug, PartialEq)]
pub struct LifecycleHook {
    /// What happens.
    pub target: HookTarget,
    /// At which stages.
    pub stages: Vec<LifecycleStage>,
    /// What is done with a hook that is not done in time.
    pub timeout: HookTimeout,
}

/// What a hook is.
#[derive(Clone, Debug, PartialEq)]
pub enum HookTarget {
    /// `AWS_LAMBDA`.
    Function {
        /// Its ARN.
        arn: String,
        /// The role that ECS calls it with.
        role: String,
        /// `hookDetails`: handed to every invocation.
        details: Option<Map<String, Value>>,
    },
    /// `PAUSE`: waits for a person.
    Pause,
}

/// `timeoutConfiguration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HookTimeout {
    /// How long ECS waits for the hook.
    pub after: Duration,
    /// What it does then.
    pub action: HookAction,
}

impl HookTimeout {
    /// What a hook has that says nothing.
    pub const DEFAULT: Self = Self { after: Duration::from_secs(24 * 3600), action: HookAction::Rollback };
}

/// `CONTINUE` or `ROLLBACK`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookAction {
    /// The deployment goes on.
    Continue,
    /// The deployment is rolled back.
    Rollback,
}

impl HookAction {
    /// As ECS writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Continue => "CONTINUE",
            Self::Rollback => "ROLLBACK",
        }
    }
}

impl Controller {
    /// What it knows where ECS is it.
    pub fn native(&self) -> Option<&NativeService> {
        match self {
            Self::Ecs(native) => Some(native),
            Self::CodeDeploy => None,
        }
    }
}

impl Strategy {
    /// As ECS writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::BlueGreen => "BLUE_GREEN",
            Self::Canary { .. } => "CANARY",
            Self::Linear { .. } => "LINEAR",
        }
    }

    /// The shares of production that green is given in turn, in percent, and how long each lasts before the next. The last is
    /// 100 and lasts no time of its own: the bake comes after it.
    pub fn steps(self) -> Vec<(f64, Duration)> {
        let all = (100.0, Duration::ZERO);
        match self {
            Self::BlueGreen => vec![all],
            Self::Canary { percent, .. } if percent >= 100.0 => vec![all],
            Self::Canary { percent, bake } => vec![(percent, bake), all],
            Self::Linear { percent, bake } => {
                let shares = (1_u32..).map(|step| f64::from(step) * percent).take_while(|share| *share < 99.95);
                shares.map(|share| ((share * 10.0).round() / 10.0, bake)).chain([all]).collect()
            }
        }
    }

    /// `CANARY, 10 % first, the rest after 5 minutes`.
    pub fn in_words(self) -> String {
        let words = crate::codedeploy::engine::in_words;
        match self {
            Self::BlueGreen => "BLUE_GREEN, all of production at once".to_owned(),
            Self::Canary { percent, bake } => format!("CANARY, {percent} % first, the rest after {}", words(bake)),
            Self::Linear { percent, bake } => format!("LINEAR, {percent} % every {}", words(bake)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(strategy: Strategy) -> Vec<f64> {
        strategy.steps().into_iter().map(|(share, _)| share).collect()
    }

    #[test]
    fn a_strategy_takes_its_steps_and_ends_with_all_of_production() {
        let bake = Duration::from_secs(60);
        assert_eq!(shares(Strategy::BlueGreen), [100.0]);
        assert_eq!(shares(Strategy::Canary { percent: 0.5, bake }), [0.5, 100.0]);
        assert_eq!(shares(Strategy::Linear { percent: 30.0, bake }), [30.0, 60.0, 90.0, 100.0]);
        assert_eq!(shares(Strategy::Linear { percent: 33.3, bake }), [33.3, 66.6, 99.9, 100.0]);
        assert_eq!(shares(Strategy::Linear { percent: 10.0, bake }).len(), 10);
    }
}

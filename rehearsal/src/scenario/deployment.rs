//! How a scenario deploys: shift, rollback, alarms, and the choices where AWS documents nothing.

use std::time::Duration;

use greenlight::document::Spanned;
use greenlight::units::{Percent, Span};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio_rustls::rustls::pki_types::ServerName;

use super::rules;
use super::sense::Sense;

use crate::codedeploy::switches::Switches;
use crate::ecs::switches::Switches as NativeSwitches;
use crate::meddling::Meddling;
use crate::world::deployments::{Platform, RollbackEvent, Routing};

/// The deployment and its group.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeploymentSpec {
    /// A predefined deployment configuration; `CodeDeployDefault.ECSCanary10Percent5Minutes` when nothing is said.
    #[serde(default)]
    pub config: Option<Spanned<String>>,
    /// A custom canary configuration.
    #[serde(default)]
    pub canary: Option<Spanned<Shift>>,
    /// A custom linear configuration.
    #[serde(default)]
    pub linear: Option<Spanned<Shift>>,
    /// What rolls back by itself; failure, alarm and request when missing, nothing for `[]`.
    #[serde(default)]
    pub auto_rollback: Option<Vec<RollbackOn>>,
    /// How long blue is kept after the shift.
    #[serde(default, deserialize_with = "rules::termination_wait")]
    pub termination_wait: Option<Span>,
    /// Whether there is a test listener.
    #[serde(default = "yes")]
    pub test_listener: bool,
    /// Share of the test traffic that somebody else's change of the listener sends to blue; 100% is all of it.
    #[serde(default)]
    pub test_listener_leaks: Option<Spanned<Percent>>,
    /// What somebody else does to the service meanwhile.
    #[serde(default)]
    pub somebody_else: Option<Vec<Meddling>>,
    /// The container that the AppSpec names; the one that the task definition has when missing.
    #[serde(default)]
    pub app_spec_container: Option<String>,
    /// Both listeners speak HTTPS, with a certificate for this host name.
    #[serde(default)]
    pub https: Option<Spanned<String>>,
    /// Where the AppSpec is kept.
    #[serde(default)]
    pub app_spec: AppSpecPlace,
    /// Deploys blue's revision again after success, as a person does who rolls back by hand.
    #[serde(default)]
    pub then_roll_back_by_hand: bool,
    /// Asks CodeDeploy to stop the deployment when production traffic is here: a phase of the ledger.
    #[serde(default)]
    pub stop_at: Option<Spanned<String>>,
}

impl Default for DeploymentSpec {
    fn default() -> Self {
        greenlight::document::parse("{}", "the defaults").expect("every key has a default")
    }
}

/// Where the AppSpec is kept.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum AppSpecPlace {
    /// In the deployment itself.
    #[default]
    Inline,
    /// In an object in S3.
    S3,
    /// In one version of an object in S3.
    S3Version,
}

/// A custom shift.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shift {
    /// Share of a step.
    #[serde(deserialize_with = "rules::shift_percent")]
    pub percent: Percent,
    /// Wait between steps: whole minutes.
    #[serde(deserialize_with = "rules::shift_interval")]
    pub interval: Span,
}

/// What starts an automatic rollback.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum RollbackOn {
    /// The deployment fails.
    Failure,
    /// An alarm stops it.
    Alarm,
    /// A person stops it.
    Request,
}

impl RollbackOn {
    /// CodeDeploy's event.
    pub fn event(self) -> RollbackEvent {
        match self {
            Self::Failure => RollbackEvent::Failure,
            Self::Alarm => RollbackEvent::StopOnAlarm,
            Self::Request => RollbackEvent::StopOnRequest,
        }
    }
}

/// The configuration that a scenario gets that names none.
pub fn usual_config(platform: Platform) -> &'static str {
    match platform {
        Platform::Ecs => "CodeDeployDefault.ECSCanary10Percent5Minutes",
        Platform::Lambda => "CodeDeployDefault.LambdaCanary10Percent5Minutes",
    }
}

/// The predefined configurations of both platforms.
/// <https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-configurations.html>
pub const PREDEFINED: [(&str, Platform, Routing); 14] = [
    ("CodeDeployDefault.ECSAllAtOnce", Platform::Ecs, Routing::AllAtOnce),
    ("CodeDeployDefault.ECSLinear10PercentEvery1Minutes", Platform::Ecs, linear(1)),
    ("CodeDeployDefault.ECSLinear10PercentEvery3Minutes", Platform::Ecs, linear(3)),
    ("CodeDeployDefault.ECSCanary10Percent5Minutes", Platform::Ecs, canary(5)),
    ("CodeDeployDefault.ECSCanary10Percent15Minutes", Platform::Ecs, canary(15)),
    ("CodeDeployDefault.LambdaAllAtOnce", Platform::Lambda, Routing::AllAtOnce),
    ("CodeDeployDefault.LambdaLinear10PercentEvery1Minute", Platform::Lambda, linear(1)),
    ("CodeDeployDefault.LambdaLinear10PercentEvery2Minutes", Platform::Lambda, linear(2)),
    ("CodeDeployDefault.LambdaLinear10PercentEvery3Minutes", Platform::Lambda, linear(3)),
    ("CodeDeployDefault.LambdaLinear10PercentEvery10Minutes", Platform::Lambda, linear(10)),
    ("CodeDeployDefault.LambdaCanary10Percent5Minutes", Platform::Lambda, canary(5)),
    ("CodeDeployDefault.LambdaCanary10Percent10Minutes", Platform::Lambda, canary(10)),
    ("CodeDeployDefault.LambdaCanary10Percent15Minutes", Platform::Lambda, canary(15)),
    ("CodeDeployDefault.LambdaCanary10Percent30Minutes", Platform::Lambda, canary(30)),
];

const fn linear(minutes: u64) -> Routing {
    Routing::Linear { percent: 10, interval: Duration::from_secs(minutes * 60) }
}

const fn canary(minutes: u64) -> Routing {
    Routing::Canary { percent: 10, interval: Duration::from_secs(minutes * 60) }
}

impl DeploymentSpec {
    /// The configuration's name and routing, on this platform.
    pub fn config(&self, platform: Platform) -> (String, Routing) {
        let custom = |shift: &Shift, kind: &str| {
            let percent = shift.percent.percent().round() as u32;
            let interval = shift.interval.duration();
            (format!("{kind}-{percent}-percent-{}-minutes", interval.as_secs() / 60), percent, interval)
        };
        if let Some(shift) = &self.canary {
            let (name, percent, interval) = custom(&shift.value, "canary");
            return (name, Routing::Canary { percent, interval });
        }
        if let Some(shift) = &self.linear {
            let (name, percent, interval) = custom(&shift.value, "linear");
            return (name, Routing::Linear { percent, interval });
        }
        let name = self.config.as_ref().map_or(usual_config(platform), |config| config.value.as_str());
        let predefined = PREDEFINED.iter().find(|(known, ..)| *known == name);
        let routing = predefined.map_or(Routing::AllAtOnce, |(.., routing)| *routing);
        (name.to_owned(), routing)
    }

    /// The shares of production that green has for a while before it has all, in percent.
    pub(super) fn steps(&self, platform: Platform) -> Vec<u32> {
        match self.config(platform).1 {
            Routing::AllAtOnce => Vec::new(),
            Routing::Canary { percent, .. } => vec![percent],
            Routing::Linear { percent, .. } => {
                (1..100 / percent + 1).map(|step| step * percent).filter(|it| *it < 100).collect()
            }
        }
    }

    /// How long blue is kept.
    pub fn kept(&self) -> Duration {
        self.termination_wait.map_or(Duration::from_secs(300), Span::duration)
    }

    /// What rolls back by itself.
    pub fn rollback_events(&self) -> Option<Vec<RollbackEvent>> {
        match &self.auto_rollback {
            None => Some(vec![RollbackEvent::Failure, RollbackEvent::StopOnAlarm, RollbackEvent::StopOnRequest]),
            Some(none) if none.is_empty() => None,
            Some(some) => Some(some.iter().map(|it| it.event()).collect()),
        }
    }

    /// Whether its steps are known.
    pub(super) fn is_of_a_known_config(&self, platform: Platform) -> bool {
        let known = |config: &str| PREDEFINED.iter().any(|(name, of, _)| *name == config && *of == platform);
        self.config.as_ref().is_none_or(|config| known(&config.value))
    }

    /// What the types alone cannot tell.
    pub(super) fn check(&self, platform: Platform, sense: &Sense<'_>) {
        if let Some(config) = self.config.as_ref().filter(|_| !self.is_of_a_known_config(platform)) {
            let of_it = PREDEFINED.iter().filter(|(_, of, _)| *of == platform);
            let known: Vec<&str> = of_it.map(|(name, ..)| *name).collect();
            let known = greenlight::document::one_of(&config.value, &known);
            let message = format!("unknown deployment configuration `{}`; {known}", config.value);
            sense.refuse(config.referenced, message);
        }
        if let Some(https) = self.https.as_ref().filter(|it| ServerName::try_from(it.value.as_str()).is_err()) {
            sense.refuse(https.referenced, "expected a host name such as `orders.example.com`");
        }
        if let Some(leak) = self.test_listener_leaks.as_ref().filter(|_| !self.test_listener) {
            sense.refuse(leak.referenced, "there is no test listener that could leak: `test_listener: false`");
        }
        let mut said = [&self.canary, &self.linear].into_iter().flatten().map(|it| it.referenced).collect::<Vec<_>>();
        said.extend(self.config.as_ref().map(|config| config.referenced));
        if let [_, second, ..] = said.as_slice() {
            let message = "say one of `config`, `canary` and `linear`, not two";
            sense.refuse(*second, message);
        }
    }
}

/// A CloudWatch alarm of the deployment group.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlarmSpec {
    /// Name.
    #[serde(deserialize_with = "rules::alarm_name")]
    pub name: String,
    /// A metric of AWS/ApplicationELB, for example `HTTPCode_Target_5XX_Count`; of AWS/Lambda for a function.
    pub metric: Spanned<String>,
    /// Whose metric.
    #[serde(default)]
    pub of: AlarmTarget,
    /// `Sum`, `Average`, `Maximum`, `p99`, …
    #[serde(default = "sum", deserialize_with = "rules::statistic")]
    pub statistic: String,
    /// It fires at this value or above.
    #[serde(deserialize_with = "rules::threshold")]
    pub at_least: f64,
    /// Length of one period: whole minutes.
    #[serde(default = "minute", deserialize_with = "rules::period")]
    pub period: Span,
    /// How many periods in a row.
    #[serde(default = "one", deserialize_with = "rules::periods")]
    pub periods: u32,
}

/// Whose metric an alarm looks at.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum AlarmTarget {
    /// The whole load balancer, or the whole alias.
    #[default]
    LoadBalancer,
    /// The target group that blue has at the beginning, or blue's version behind the alias.
    Blue,
    /// The target group that green gets, or green's version behind the alias.
    Green,
}

/// Choices where AWS documents nothing; docs/limits.md lists them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchesSpec {
    /// Whether a rollback deployment calls the hooks.
    #[serde(default)]
    pub hooks_on_rollback: Option<bool>,
    /// Whether green's targets are checked from Install on.
    #[serde(default)]
    pub green_in_use_at_install: Option<bool>,
    /// Whether Install waits for healthy tasks, or only for running ones.
    #[serde(default)]
    pub install_waits_for_health: Option<bool>,
    /// How long Install waits.
    #[serde(default)]
    pub install_timeout: Option<Span>,
    /// How often CodeDeploy, or ECS, looks at the alarms.
    #[serde(default)]
    pub looks_at_alarms_every: Option<Span>,
    /// Whether an alarm that fired before the deployment began stops it: by CodeDeploy it does when missing, by ECS not.
    #[serde(default)]
    pub stops_for_alarms_that_fired_before: Option<bool>,
    /// Whether CodeDeploy invokes hooks with `Event`, so that the event of one that died goes to its on-failure destination.
    #[serde(default)]
    pub invokes_hooks_with_event: Option<bool>,
    /// Whether ECS sends the event of 2025, without `executionDetails`.
    #[serde(default)]
    pub flat_events: Option<bool>,
    /// Whether a hook that says no while ECS leads traffic back makes the rollback fail.
    #[serde(default)]
    pub hooks_can_fail_a_rollback: Option<bool>,
    /// Whether ECS forgets what a function returned in `hookDetails` when its stage, or its step, is over.
    #[serde(default)]
    pub hook_details_end_with_the_stage: Option<bool>,
}

impl SwitchesSpec {
    /// The choices, with the usual ones where nothing is said.
    pub fn switches(&self) -> Switches {
        let usual = Switches::DEFAULT;
        Switches {
            hooks_on_rollback: self.hooks_on_rollback.unwrap_or(usual.hooks_on_rollback),
            green_in_use_at_install: self.green_in_use_at_install.unwrap_or(usual.green_in_use_at_install),
            install_waits_for_health: self.install_waits_for_health.unwrap_or(usual.install_waits_for_health),
            install_timeout: self.install_timeout.map_or(usual.install_timeout, Span::duration),
            stops_for_alarms_that_fired_before: self
                .stops_for_alarms_that_fired_before
                .unwrap_or(usual.stops_for_alarms_that_fired_before),
            looks_at_alarms_every: self.looks_at_alarms_every.map_or(usual.looks_at_alarms_every, Span::duration),
            invokes_hooks_with_event: self.invokes_hooks_with_event.unwrap_or(usual.invokes_hooks_with_event),
            hook_timeout: usual.hook_timeout,
        }
    }

    /// Those of the deployments that ECS carries out.
    pub fn native(&self) -> NativeSwitches {
        let usual = NativeSwitches::DEFAULT;
        NativeSwitches {
            flat_events: self.flat_events.unwrap_or(usual.flat_events),
            hooks_can_fail_a_rollback: self.hooks_can_fail_a_rollback.unwrap_or(usual.hooks_can_fail_a_rollback),
            hook_details_end_with_the_stage: self
                .hook_details_end_with_the_stage
                .unwrap_or(usual.hook_details_end_with_the_stage),
            looks_at_alarms_every: self.looks_at_alarms_every.map_or(usual.looks_at_alarms_every, Span::duration),
            stops_for_alarms_that_fired_before: self
                .stops_for_alarms_that_fired_before
                .unwrap_or(usual.stops_for_alarms_that_fired_before),
            stage_timeout: usual.stage_timeout,
        }
    }
}

fn yes() -> bool {
    true
}
fn one() -> u32 {
    1
}
fn sum() -> String {
    "Sum".to_owned()
}
fn minute() -> Span {
    Span::new(Duration::from_secs(60))
}

//! What a scenario says of a deployment that ECS itself carries out.

use std::collections::BTreeMap;
use std::time::Duration;

use greenlight::document::{Spanned, one_of};
use greenlight::lifecycle_stage::LifecycleStage;
use greenlight::stage::Stage;
use greenlight::units::Span;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::sense::Sense;
use super::{Expectation, LifecycleEventName, Scenario, rules};
use crate::world::deployment_configuration::{HookAction, HookTimeout, Strategy};
use crate::world::deployments::{Platform, Routing};
use crate::world::service_deployments::StopType;

/// Who carries out the deployment.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum DeploymentEngine {
    /// CodeDeploy.
    #[default]
    CodeDeploy,
    /// ECS itself.
    Ecs,
}

impl DeploymentEngine {
    /// As a scenario and the command line write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CodeDeploy => "codedeploy",
            Self::Ecs => "ecs",
        }
    }
}

/// What holds only where ECS carries out the deployment.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NativeSpec {
    /// How long both versions run after the shift: whole minutes. `deployment.termination_wait` when missing.
    #[serde(default, deserialize_with = "rules::bake")]
    pub bake: Option<Span>,
    /// Whether tasks that fail again and again end the deployment.
    #[serde(default)]
    pub circuit_breaker: bool,
    /// Hooks that wait for a person.
    #[serde(default)]
    pub pauses: Vec<PauseSpec>,
    /// How functions are hung in, by the lifecycle event that they serve under CodeDeploy.
    #[serde(default)]
    pub hooks: BTreeMap<LifecycleEventName, NativeHookSpec>,
    /// What a person asks for at `deployment.stop_at`.
    #[serde(default)]
    pub stop: StopSpec,
    /// What must come of it, in place of `expect`.
    #[serde(default)]
    pub expect: Option<Expectation>,
}

/// How a function is hung in.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NativeHookSpec {
    /// The stages at which ECS calls it; the one that matches its lifecycle event when missing.
    #[serde(default)]
    pub stages: Option<Spanned<Vec<StageSpec>>>,
    /// `hookDetails`: what every call of it is given.
    #[serde(default)]
    pub details: Option<Map<String, Value>>,
    /// When ECS gives it up, and what it does then; after 24 hours, the most, a rollback when missing.
    #[serde(default)]
    pub timeout: Option<Spanned<TimeoutSpec>>,
}

/// A hook that waits for a person.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseSpec {
    /// At which stage.
    pub stage: Spanned<StageSpec>,
    /// A person lets the deployment go on after this time of the world; with neither of the two nobody decides.
    #[serde(default)]
    pub continues_after: Option<Spanned<Span>>,
    /// A person has it rolled back after this time of the world.
    #[serde(default)]
    pub rolls_back_after: Option<Spanned<Span>>,
    /// When ECS waits no more, and what it does then; after 24 hours a rollback when missing.
    #[serde(default)]
    pub timeout: Option<TimeoutSpec>,
}

/// When ECS waits no more for a hook.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeoutSpec {
    /// After this: whole minutes.
    #[serde(deserialize_with = "rules::hook_timeout")]
    pub after: Span,
    /// What it does then.
    #[serde(default)]
    pub action: ActionSpec,
}

/// What becomes of a deployment whose hook is given up.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ActionSpec {
    /// It is rolled back.
    #[default]
    Rollback,
    /// It goes on.
    Continue,
}

/// How a person stops a deployment.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StopSpec {
    /// Blue serves again.
    #[default]
    Rollback,
    /// Everything stays as it is.
    Abort,
}

/// A stage that takes hooks, in ECS's words.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the words are those of `LifecycleStage`")]
pub enum StageSpec {
    ReconcileService,
    PreScaleUp,
    PostScaleUp,
    TestTrafficShift,
    PostTestTrafficShift,
    PreProductionTrafficShift,
    ProductionTrafficShift,
    PostProductionTrafficShift,
}

impl StageSpec {
    /// The stage itself.
    pub fn stage(self) -> LifecycleStage {
        match self {
            Self::ReconcileService => LifecycleStage::ReconcileService,
            Self::PreScaleUp => LifecycleStage::PreScaleUp,
            Self::PostScaleUp => LifecycleStage::PostScaleUp,
            Self::TestTrafficShift => LifecycleStage::TestTrafficShift,
            Self::PostTestTrafficShift => LifecycleStage::PostTestTrafficShift,
            Self::PreProductionTrafficShift => LifecycleStage::PreProductionTrafficShift,
            Self::ProductionTrafficShift => LifecycleStage::ProductionTrafficShift,
            Self::PostProductionTrafficShift => LifecycleStage::PostProductionTrafficShift,
        }
    }
}

impl TimeoutSpec {
    /// As ECS has it.
    pub fn timeout(self) -> HookTimeout {
        let action = match self.action {
            ActionSpec::Rollback => HookAction::Rollback,
            ActionSpec::Continue => HookAction::Continue,
        };
        HookTimeout { after: self.after.duration(), action }
    }
}

impl PauseSpec {
    /// What a person decides, and how long after the pause has begun.
    pub fn decision(&self) -> Option<(HookAction, Duration)> {
        let continues = self.continues_after.as_ref().map(|after| (HookAction::Continue, after.value.duration()));
        continues.or(self.rolls_back_after.as_ref().map(|after| (HookAction::Rollback, after.value.duration())))
    }
}

impl StopSpec {
    /// ECS's word for it.
    pub fn how(self) -> StopType {
        match self {
            Self::Rollback => StopType::Rollback,
            Self::Abort => StopType::Abort,
        }
    }
}

/// The stage of ECS that does what a lifecycle event of CodeDeploy does.
pub fn counterpart(event: &str) -> Option<LifecycleStage> {
    Some(match event {
        "BeforeInstall" => LifecycleStage::PreScaleUp,
        "Install" => LifecycleStage::ScaleUp,
        "AfterInstall" => LifecycleStage::PostScaleUp,
        "AllowTestTraffic" => LifecycleStage::TestTrafficShift,
        "AfterAllowTestTraffic" => LifecycleStage::PostTestTrafficShift,
        "BeforeAllowTraffic" => LifecycleStage::PreProductionTrafficShift,
        "AllowTraffic" => LifecycleStage::ProductionTrafficShift,
        "AfterAllowTraffic" => LifecycleStage::PostProductionTrafficShift,
        "termination wait" => LifecycleStage::BakeTime,
        _ => return None,
    })
}

/// A phase of the ledger in ECS's words: `AllowTraffic 10 %` is `PRODUCTION_TRAFFIC_SHIFT 10 %`. One that is already stays.
pub fn native_phase(phase: &str) -> String {
    if let Some(stage) = counterpart(phase) {
        return stage.name().to_owned();
    }
    let (event, share) = phase.split_once(' ').unwrap_or((phase, ""));
    counterpart(event).map_or_else(|| phase.to_owned(), |stage| format!("{stage} {share}"))
}

impl Scenario {
    /// The stages at which ECS calls greenlight's function for this stage, or the one in its place.
    pub fn native_stages(&self, stage: Stage) -> Vec<LifecycleStage> {
        let spec = self.on_ecs.hooks.iter().find(|(event, _)| event.stage() == stage).map(|(_, spec)| spec);
        match spec.and_then(|spec| spec.stages.as_ref()) {
            Some(stages) => stages.value.iter().map(|stage| stage.stage()).collect(),
            None => counterpart(stage.event_name()).into_iter().collect(),
        }
    }

    /// The phase of the ledger in which this stage's function is first called.
    pub fn phase_of(&self, stage: Stage) -> String {
        match self.engine {
            DeploymentEngine::CodeDeploy => stage.event_name().to_owned(),
            DeploymentEngine::Ecs => {
                self.native_stages(stage).first().map(|it| it.name().to_owned()).unwrap_or_default()
            }
        }
    }

    /// The phase of the ledger in which a person stops the deployment.
    pub fn stops_at(&self) -> Option<String> {
        let phase = &self.deployment.stop_at.as_ref()?.value;
        Some(match self.engine {
            DeploymentEngine::CodeDeploy => phase.clone(),
            DeploymentEngine::Ecs => native_phase(phase),
        })
    }

    /// What must come of it, whoever carries it out.
    pub fn expectation(&self) -> &Expectation {
        match (self.engine, &self.on_ecs.expect) {
            (DeploymentEngine::Ecs, Some(expect)) => expect,
            _ => &self.expect,
        }
    }

    /// How ECS shifts: as the deployment configuration of CodeDeploy would.
    pub fn strategy(&self) -> Strategy {
        match self.deployment.config(Platform::Ecs).1 {
            Routing::AllAtOnce => Strategy::BlueGreen,
            Routing::Canary { percent, interval } => Strategy::Canary { percent: f64::from(percent), bake: interval },
            Routing::Linear { percent, interval } => Strategy::Linear { percent: f64::from(percent), bake: interval },
        }
    }

    /// The phases in which a deployment of ECS waits for something, so that a person has time to stop it.
    pub(super) fn native_phases(&self) -> Vec<String> {
        let called: Vec<LifecycleStage> = Stage::ALL
            .into_iter()
            .filter(|stage| !self.leaves_out(*stage))
            .flat_map(|stage| self.native_stages(stage))
            .chain(self.on_ecs.pauses.iter().map(|pause| pause.stage.value.stage()))
            .collect();
        let shift = LifecycleStage::ProductionTrafficShift;
        let mut phases = Vec::new();
        for stage in LifecycleStage::ALL {
            let waits = matches!(stage, LifecycleStage::ScaleUp | LifecycleStage::BakeTime);
            if stage == shift {
                let shares = self.strategy().steps().into_iter().map(|(share, _)| share);
                phases.extend(
                    shares.filter(|it| *it < 100.0 || called.contains(&stage)).map(|it| format!("{shift} {it} %")),
                );
            } else if waits || called.contains(&stage) {
                phases.push(stage.name().to_owned());
            }
        }
        phases
    }

    pub(super) fn check_native(&self, sense: &Sense<'_>) {
        for pause in &self.on_ecs.pauses {
            let stage = pause.stage.value.stage();
            if !stage.takes_pauses() {
                let able = LifecycleStage::ALL.into_iter().filter(|stage| stage.takes_pauses());
                let able: Vec<&str> = able.map(LifecycleStage::name).collect();
                let message = format!("ECS takes no pause at {stage}; {}", one_of(stage.name(), &able));
                sense.refuse(pause.stage.referenced, message);
            }
            if let (Some(_), Some(second)) = (&pause.continues_after, &pause.rolls_back_after) {
                sense.refuse(
                    second.referenced,
                    "a person decides once; keep one of `continues_after` and `rolls_back_after`",
                );
            }
            let decides = pause.continues_after.as_ref().or(pause.rolls_back_after.as_ref());
            let waits = pause.timeout.as_ref().map_or(HookTimeout::DEFAULT.after, |it| it.after.duration());
            if let Some(late) = decides.filter(|after| after.value.duration() >= waits) {
                sense.refuse(late.referenced, "nobody waits so long: the pause's `timeout` is over by then");
            }
        }
        for hook in self.on_ecs.hooks.values() {
            if let Some(stages) = hook.stages.as_ref().filter(|stages| stages.value.is_empty()) {
                let message =
                    "a hook needs a stage at which it is called; to leave it out write `hooks: { …: { none: true } }`";
                sense.judge.note(sense.judge.lacking(stages.referenced, message));
            }
            let most = HookTimeout::DEFAULT.after;
            if let Some(timeout) = hook.timeout.as_ref().filter(|timeout| timeout.value.after.duration() > most) {
                sense.refuse(timeout.referenced, "ECS waits a day at most for a function; expected `1m` to `24h`");
            }
        }
        if self.engine != DeploymentEngine::Ecs {
            return;
        }
        if let Some(function) = &self.function {
            sense.refuse(
                function.referenced,
                "ECS deploys services; a function's deployment is CodeDeploy's: `engine: codedeploy`",
            );
        }
    }
}

//! The world of a service whose deployments ECS itself carries out: two rules that name both target groups, hooks in the
//! service's `deploymentConfiguration`, and the revision that serves.

use greenlight::lifecycle_stage::LifecycleStage;
use greenlight::stage::Stage;

use super::{Furnisher, Versions, function_name, hex};
use crate::ecs::api::new_revision;
use crate::scenario::native::TimeoutSpec;
use crate::world::deployment_configuration::{
    CircuitBreaker, Controller, DeploymentAlarms, DeploymentConfiguration, HookTarget, HookTimeout, LifecycleHook,
    NativeService,
};
use crate::world::deployments::RollbackEvent;
use crate::world::load_balancer::{Action, Condition, Listener, Rule, TargetGroup};
use crate::world::service_deployments::{ServiceDeployment, ServiceDeploymentStatus, arn_of_service};
use crate::world::{ACCOUNT, REGION, State};

/// The priority of the rules that ECS moves traffic with, as in environment/service-native.yaml.
const PRIORITY: u32 = 10;

impl Furnisher<'_> {
    /// What ECS knows of the service, and the rules that it needs in both listeners.
    pub(super) fn native_controller(
        &self,
        groups: &[TargetGroup; 2],
        production: &mut Listener,
        test: Option<&mut Listener>,
        alarms: Vec<String>,
    ) -> Controller {
        let rule_arns = [Some(production), test].map(|listener| {
            let listener = listener?;
            let rule = rule(listener, groups);
            let arn = rule.arn.clone();
            listener.rules.insert(0, rule);
            Some(arn)
        });
        let [production_rule, test_rule] = rule_arns;
        Controller::Ecs(Box::new(NativeService {
            target_group: groups[0].arn.clone(),
            alternate_target_group: groups[1].arn.clone(),
            production_rule: production_rule.expect("there is a production listener"),
            test_rule,
            configuration: self.configuration(alarms),
        }))
    }

    fn configuration(&self, names: Vec<String>) -> DeploymentConfiguration {
        let scenario = &self.loaded.scenario;
        let rolls_back =
            |event: RollbackEvent| scenario.deployment.rollback_events().is_some_and(|events| events.contains(&event));
        DeploymentConfiguration {
            strategy: scenario.strategy(),
            bake: scenario.on_ecs.bake.map_or_else(|| scenario.deployment.kept(), greenlight::units::Span::duration),
            hooks: self.lifecycle_hooks(),
            alarms: (!names.is_empty())
                .then(|| DeploymentAlarms { names, rollback: rolls_back(RollbackEvent::StopOnAlarm) }),
            circuit_breaker: scenario
                .on_ecs
                .circuit_breaker
                .then(|| CircuitBreaker { rollback: rolls_back(RollbackEvent::Failure) }),
        }
    }

    fn lifecycle_hooks(&self) -> Vec<LifecycleHook> {
        let scenario = &self.loaded.scenario;
        let functions = Stage::ALL.into_iter().filter(|stage| !scenario.leaves_out(*stage)).map(|stage| {
            let spec = scenario.on_ecs.hooks.iter().find(|(event, _)| event.stage() == stage).map(|(_, spec)| spec);
            LifecycleHook {
                target: HookTarget::Function {
                    arn: format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", function_name(stage)),
                    role: format!("arn:aws:iam::{ACCOUNT}:role/{}-hooks", self.service.name),
                    details: spec.and_then(|spec| spec.details.clone()),
                },
                stages: scenario.native_stages(stage),
                timeout: timeout(spec.and_then(|spec| spec.timeout.as_ref()).map(|timeout| timeout.value)),
            }
        });
        let pauses = scenario.on_ecs.pauses.iter().map(|pause| LifecycleHook {
            target: HookTarget::Pause,
            stages: vec![pause.stage.value.stage()],
            timeout: timeout(pause.timeout),
        });
        functions.chain(pauses).collect()
    }

    /// The revision that serves, and the deployment that brought it.
    pub(super) fn natively(&self, state: &mut State, blue: String, green: String) -> Versions {
        let versions = Versions::Ecs {
            cluster: self.service.cluster.clone(),
            service: self.service.name.clone(),
            green,
            blue: blue.clone(),
        };
        let Some(service) = state.service(&self.service.cluster, &self.service.name).cloned() else { return versions };
        let (Some(native), Some(set)) = (service.controller.native(), service.primary()) else { return versions };
        let mut revision = new_revision(&service, blue, set.target_group.clone(), self.now);
        revision.task_set.clone_from(&set.id);
        state.service_deployments.push(ServiceDeployment {
            arn: arn_of_service("service-deployment", &service.cluster, &service.name, &hex(21)),
            cluster: service.cluster.clone(),
            service: service.name.clone(),
            sources: Vec::new(),
            target: revision.arn.clone(),
            settings: native.clone(),
            status: ServiceDeploymentStatus::Successful,
            status_reason: None,
            stage: Some(LifecycleStage::CleanUp),
            stages: Vec::new(),
            hooks: Vec::new(),
            test_share: 100.0,
            production_share: 100.0,
            created_at: self.now,
            started_at: Some(self.now),
            finished_at: Some(self.now),
            updated_at: self.now,
            rollback: None,
            triggered_alarms: Vec::new(),
            failed_tasks: 0,
            stop_requested: None,
        });
        state.service_revisions.push(revision);
        versions
    }
}

/// Comes before the default rule, takes every path, and names both target groups: so the other one's targets are checked too.
fn rule(listener: &Listener, groups: &[TargetGroup; 2]) -> Rule {
    let of_listener = listener.arn.split_once(":listener/").map_or("", |(_, path)| path);
    Rule {
        arn: format!("arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:listener-rule/{of_listener}/{}", hex(16)),
        priority: Some(PRIORITY),
        conditions: vec![Condition::PathPattern(vec!["*".to_owned()])],
        action: Action::Forward(vec![(groups[0].arn.clone(), 100), (groups[1].arn.clone(), 0)]),
    }
}

fn timeout(spec: Option<TimeoutSpec>) -> HookTimeout {
    spec.map_or(HookTimeout::DEFAULT, TimeoutSpec::timeout)
}

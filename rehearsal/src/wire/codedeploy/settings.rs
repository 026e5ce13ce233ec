//! Shapes that deployments and groups share: rollback, alarms, style, blue/green, load balancer.

use serde::{Deserialize, Serialize};

use crate::wire::refusal::Refusal;
use crate::world::State;
use crate::world::deployments::{DeploymentGroup, RollbackEvent, ServiceTarget};

/// `AutoRollbackConfiguration`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct AutoRollback {
    #[serde(default)]
    enabled: bool,
    #[serde(default)]
    events: Vec<String>,
}

impl AutoRollback {
    /// How a deployment or a group tells its setting.
    pub(super) fn of(setting: Option<&[RollbackEvent]>) -> Self {
        Self {
            enabled: setting.is_some(),
            events: setting.unwrap_or_default().iter().map(|event| event.name().to_owned()).collect(),
        }
    }

    /// The setting a client asks for.
    pub(super) fn setting(&self) -> Result<Option<Vec<RollbackEvent>>, Refusal> {
        let invalid = |message: String| Refusal::new("InvalidAutoRollbackConfigException", message);
        let known = [RollbackEvent::Failure, RollbackEvent::StopOnAlarm, RollbackEvent::StopOnRequest];
        let events = self
            .events
            .iter()
            .map(|name| {
                known
                    .into_iter()
                    .find(|event| event.name() == name)
                    .ok_or_else(|| invalid(format!("{name} is not an auto rollback event")))
            })
            .collect::<Result<Vec<_>, _>>()?;
        if self.enabled && events.is_empty() {
            return Err(invalid("Auto rollback is enabled but no events are given".to_owned()));
        }
        Ok(self.enabled.then_some(events))
    }
}

/// `AlarmConfiguration`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AlarmConfiguration {
    #[serde(default)]
    pub(super) enabled: bool,
    #[serde(default)]
    ignore_poll_alarm_failure: bool,
    #[serde(default)]
    alarms: Vec<Named>,
}

/// A structure with a name and nothing else.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Named {
    name: String,
}

impl AlarmConfiguration {
    /// How a group tells its setting.
    pub(super) fn of(group: &DeploymentGroup) -> Self {
        Self {
            enabled: group.alarms_enabled,
            ignore_poll_alarm_failure: false,
            alarms: group.alarms.iter().map(|name| Named { name: name.clone() }).collect(),
        }
    }

    /// The names a client asks for.
    pub(super) fn names(&self) -> Result<Vec<String>, Refusal> {
        if self.alarms.len() > 10 {
            return Err(Refusal::new("AlarmsLimitExceededException", "A deployment group can have at most 10 alarms"));
        }
        if self.ignore_poll_alarm_failure {
            return Err(Refusal::not_implemented("codedeploy:ignorePollAlarmFailure"));
        }
        Ok(self.alarms.iter().map(|alarm| alarm.name.clone()).collect())
    }
}

/// `DeploymentStyle`: the only one of ECS and Lambda.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Style {
    deployment_type: &'static str,
    deployment_option: &'static str,
}

/// Of every deployment here.
pub(super) const STYLE: Style = Style { deployment_type: "BLUE_GREEN", deployment_option: "WITH_TRAFFIC_CONTROL" };

/// `BlueGreenDeploymentConfiguration`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlueGreen {
    terminate_blue_instances_on_deployment_success: Termination,
    deployment_ready_option: ReadyOption,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Termination {
    action: &'static str,
    termination_wait_time_in_minutes: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReadyOption {
    action_on_timeout: &'static str,
    wait_time_in_minutes: u64,
}

impl BlueGreen {
    pub(super) fn of(group: &ServiceTarget) -> Self {
        Self {
            terminate_blue_instances_on_deployment_success: Termination {
                action: "TERMINATE",
                termination_wait_time_in_minutes: group.termination_wait.as_secs() / 60,
            },
            deployment_ready_option: ReadyOption { action_on_timeout: "CONTINUE_DEPLOYMENT", wait_time_in_minutes: 0 },
        }
    }
}

/// `LoadBalancerInfo`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LoadBalancerInfo {
    target_group_pair_info_list: Vec<Pair>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pair {
    target_groups: Vec<Named>,
    prod_traffic_route: Route,
    #[serde(skip_serializing_if = "Option::is_none")]
    test_traffic_route: Option<Route>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Route {
    listener_arns: Vec<String>,
}

impl LoadBalancerInfo {
    pub(super) fn of(group: &ServiceTarget) -> Self {
        let route = |arn: &String| Route { listener_arns: vec![arn.clone()] };
        Self {
            target_group_pair_info_list: vec![Pair {
                target_groups: group.target_groups.iter().map(|name| Named { name: name.clone() }).collect(),
                prod_traffic_route: route(&group.production_listener),
                test_traffic_route: group.test_listener.as_ref().map(route),
            }],
        }
    }
}

/// A deployment configuration must exist.
pub(super) fn existing_config(state: &State, name: &str) -> Result<(), Refusal> {
    if state.codedeploy.config(name).is_some() {
        return Ok(());
    }
    Err(Refusal::new(
        "DeploymentConfigDoesNotExistException",
        format!("No Deployment Configuration found for name: {name}"),
    ))
}

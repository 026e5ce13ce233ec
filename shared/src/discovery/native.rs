//! From the ARN of a service deployment to the whole [`Deployment`]: what the answers of ECS mean together.
//!
//! Primary and alternate target group swap at every deployment: blue's and green's are told by their revisions, never by the
//! words *primary* and *alternate*.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-how-it-works.html>

use async_trait::async_trait;

use super::{Candidate, DiscoveryError, manual_rollback};
use crate::deployment::{
    AlarmConfiguration, AutoRollback, Deployment, DeploymentId, Engine, Listener, NativeDeployment, Rollback, Service,
    TargetGroup, TaskSet, Terms,
};
use crate::event::ServiceDeploymentArn;
use crate::lifecycle_stage::LifecycleStage;

/// Where deployments are looked up that ECS carries out.
#[async_trait]
pub trait NativeDeployments: Send + Sync {
    /// Where it stands: enough to know whether it is on its way back.
    async fn native_record(&self, arn: &ServiceDeploymentArn) -> Result<NativeRecord, DiscoveryError>;

    /// The rest of it, for a hook that was called at this stage.
    async fn describe_native(&self, record: NativeRecord, stage: LifecycleStage) -> Result<Deployment, DiscoveryError>;
}

/// What `DescribeServiceDeployments` says.
#[derive(Clone, Debug, PartialEq)]
pub struct NativeRecord {
    /// The deployment.
    pub arn: ServiceDeploymentArn,
    /// `IN_PROGRESS`, `ROLLBACK_IN_PROGRESS`, …
    pub status: String,
    /// ARNs of the revisions that served when it began; none at a service's first deployment.
    pub sources: Vec<String>,
    /// Of several sources the one that has more of production than the others, else more tasks, as far as ECS says.
    pub serving: Option<String>,
    /// ARN of the revision that is deployed: green, also in a rollback.
    pub target: Option<String>,
    /// Green's share of production traffic in percent, as ECS asked for it; `None` where it does not say.
    pub green_percent: Option<f64>,
    /// The alarms that it watches.
    pub alarms: AlarmConfiguration,
    /// Whether an alarm leads back.
    pub alarms_roll_back: bool,
    /// Minutes that both revisions run after the shift.
    pub bake_minutes: Option<u32>,
    /// When it began.
    pub began: Option<jiff::Timestamp>,
}

/// A service revision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Revision {
    /// Its ARN.
    pub arn: String,
    /// ARN with revision of its task definition.
    pub task_definition: String,
    /// Its load balancer, where it has one that blue and green can share.
    pub balancing: Option<Balancing>,
    /// The target group that its tasks are in, as far as ECS says.
    pub target_group: Option<String>,
    /// The header by which Service Connect knows test traffic: name and value.
    pub test_header: Option<(String, String)>,
}

/// A load balancer of a service: `loadBalancers[]` with `advancedConfiguration`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balancing {
    /// The container.
    pub container_name: String,
    /// Its port.
    pub container_port: u16,
    /// ARNs of the two target groups.
    pub target_groups: [String; 2],
    /// ARN of the production listener's rule, of a network load balancer the listener's own.
    pub production: String,
    /// The same of test traffic, where there is any.
    pub test: Option<String>,
}

/// Everything that was asked.
#[derive(Clone, Debug)]
pub struct NativeParts {
    /// The stage that the hook was called at.
    pub stage: LifecycleStage,
    /// Blue, unless the service is new.
    pub blue: Option<Revision>,
    /// Green.
    pub green: Revision,
    /// Green's load balancer.
    pub balancing: Balancing,
    /// The service.
    pub service: Service,
    /// Its `deployments`.
    pub candidates: Vec<Candidate>,
    /// The pair of target groups.
    pub target_groups: Vec<TargetGroup>,
    /// The production listener, with the service's rule only.
    pub production: Listener,
    /// The same of test traffic.
    pub test: Option<Listener>,
}

impl NativeRecord {
    /// Whether ECS is on its way back. Weights and target say nothing of it: green is the target still.
    pub fn rolls_back(&self) -> bool {
        self.status.starts_with("ROLLBACK_")
    }

    /// Whether it is in a state from which no deployment comes back.
    pub fn is_over(&self) -> bool {
        ["SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"].contains(&self.status.as_str())
    }

    /// Its id, for people.
    pub fn id(&self) -> DeploymentId {
        DeploymentId(self.arn.id.clone())
    }

    /// Set when ECS is on its way back.
    pub fn rollback(&self) -> Option<Rollback> {
        self.rolls_back().then(|| Rollback::Automatic { of: Some(self.id()) })
    }
}

/// The listener that a rule is of: `listener-rule/app/<name>/<id>/<listener>/<rule>` without its last part, and the rule. A
/// network load balancer has no rules: the listener itself is named.
pub fn listener_of(rule: &str) -> Option<(String, Option<&str>)> {
    if let Some((before, path)) = rule.split_once(":listener-rule/") {
        let (listener, _) = path.rsplit_once('/')?;
        return Some((format!("{before}:listener/{listener}"), Some(rule)));
    }
    rule.contains(":listener/").then(|| (rule.to_owned(), None))
}

/// A service without what greenlight asks at.
pub fn without_load_balancer(record: &NativeRecord, header: Option<&(String, String)>) -> DiscoveryError {
    let connect = header.map(|(name, value)| format!("; Service Connect knows test traffic by {name}: {value}"));
    DiscoveryError::unfit(
        format!(
            "service {} has no load balancer with a production listener rule and an alternate target group{}",
            record.arn.service,
            connect.unwrap_or_default()
        ),
        "Name this hook only for services whose load balancer has an advancedConfiguration.",
    )
}

/// Puts the answers together.
pub fn assemble_native(record: NativeRecord, parts: NativeParts) -> Deployment {
    let NativeParts { stage, blue, green, balancing, service, candidates, target_groups, production, test } = parts;
    let of_blue = blue.as_ref().map(|blue| blue_group(blue, &green, &balancing, &production));
    let of_green = green_group(&green, of_blue.as_deref(), &balancing);
    let serving = candidates.iter().map(|candidate| &candidate.task_set);
    let (newest, others): (Vec<&TaskSet>, Vec<&TaskSet>) = serving.partition(|set| set.status == "PRIMARY");
    let of = |sets: &[&TaskSet], revision: &Revision, group: &str| {
        let set = sets.iter().find(|set| set.task_definition == revision.task_definition)?;
        Some(TaskSet { target_group_arn: group.to_owned(), ..(*set).clone() })
    };
    let green_set = of(&newest, &green, &of_green);
    let blue_set = blue.as_ref().and_then(|blue| of(&others, blue, of_blue.as_deref().unwrap_or_default()));
    let percent = record.green_percent;
    let [blue_set, green_set] =
        [(blue_set, percent.map(|it| 100.0 - it)), (green_set, percent)].map(|(set, traffic_percent)| {
            set.map(|set| TaskSet { traffic_percent: set.traffic_percent.or(traffic_percent), ..set })
        });
    let rollback = record
        .rollback()
        .or_else(|| manual_rollback(blue.as_ref().map(|it| it.task_definition.as_str()), &green.task_definition));
    let mut events = vec![Terms::OF_ECS.on_failure.to_owned()];
    events.extend(record.alarms_roll_back.then(|| Terms::OF_ECS.on_alarm.to_owned()));
    Deployment {
        id: record.id(),
        engine: Engine::Ecs(NativeDeployment { arn: record.arn.arn, stage, test_header: green.test_header }),
        rollback,
        auto_rollback: AutoRollback { enabled: true, events },
        alarms: record.alarms,
        termination_wait_minutes: Some(record.bake_minutes.unwrap_or_default()),
        events_in_progress: Vec::new(),
        shift_began: record.began,
        service,
        target_task_definition: green.task_definition,
        container_name: balancing.container_name,
        container_port: balancing.container_port,
        blue: blue_set,
        green: green_set,
        target_groups,
        production,
        test,
    }
}

/// Blue's target group: as its revision says, else the one that green has not, else where production leads.
fn blue_group(blue: &Revision, green: &Revision, balancing: &Balancing, production: &Listener) -> String {
    let pair = &balancing.target_groups;
    let not = |group: &String| pair.iter().find(|other| *other != group).cloned();
    let leads = || {
        let heaviest = production.weights().max_by_key(|(_, weight)| *weight);
        heaviest.map(|(arn, _)| arn.to_owned()).filter(|arn| pair.contains(arn))
    };
    blue.target_group.clone().or_else(|| green.target_group.as_ref().and_then(not)).or_else(leads).unwrap_or_default()
}

/// Green's target group: as its revision says, else the one that blue has not.
fn green_group(green: &Revision, blue: Option<&str>, balancing: &Balancing) -> String {
    let pair = &balancing.target_groups;
    let other = || match blue {
        Some(blue) => pair.iter().find(|group| *group != blue),
        None => pair.first(),
    };
    green.target_group.clone().or_else(|| other().cloned()).unwrap_or_default()
}

//! What is being deployed: everything discovered from the deployment id, in greenlight's own words.
//!
//! CodeDeploy's two platforms are two structs, because they have little in common: what is asked of a service's task sets
//! and listeners cannot be asked of a function, and the compiler knows it.
//!
//! Blue is what serves production when the deployment starts, green is the newcomer. They are told apart by task set,
//! never by the name of a target group or its position in a list: the two groups swap roles at every deployment.

use std::fmt;

use crate::lifecycle_stage::LifecycleStage;

mod engine;
mod function;
mod terms;

pub use self::engine::{Engine, NativeDeployment};
pub use self::function::{Alias, FunctionDeployment, VersionShift};
pub use self::terms::Terms;

/// `d-` and nine characters, given by CodeDeploy; the last part of a service deployment's ARN, given by ECS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeploymentId(pub String);

/// The opaque id that an answer must name. Its format is not documented: never parse it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HookExecutionId(pub String);

impl fmt::Display for DeploymentId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Display for HookExecutionId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// One deployment of one ECS service, as it stands when the hook is called.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// Who carries it out, and what only that one knows.
    pub engine: Engine,
    /// Set when this deployment leads back to an older version.
    pub rollback: Option<Rollback>,
    /// What happens by itself when the deployment fails.
    pub auto_rollback: AutoRollback,
    /// The alarms that stop the deployment: the group's or the service's, or the deployment's override.
    pub alarms: AlarmConfiguration,
    /// Minutes that blue is kept after the shift, for ECS its bake time; `None` when blue is never terminated.
    pub termination_wait_minutes: Option<u32>,
    /// Lifecycle events that CodeDeploy reports as in progress right now.
    pub events_in_progress: Vec<String>,
    /// When production began to move, as far as it has. ECS does not say: its deployment's beginning.
    pub shift_began: Option<jiff::Timestamp>,
    /// The ECS service.
    pub service: Service,
    /// The task definition that is being deployed: ARN with revision.
    pub target_task_definition: String,
    /// The container that the load balancer talks to: of the AppSpec, or of the service's revision.
    pub container_name: String,
    /// Its port.
    pub container_port: u16,
    /// The task set that serves production when the deployment starts.
    pub blue: Option<TaskSet>,
    /// The newcomer; there is none before Install.
    pub green: Option<TaskSet>,
    /// The pair of target groups of the deployment group: ARNs where they are known.
    pub target_groups: Vec<TargetGroup>,
    /// The production listener.
    pub production: Listener,
    /// The test listener, where the group has one.
    pub test: Option<Listener>,
}

/// A deployment on either platform. CodeDeploy has a third, servers, which greenlight does not guard.
#[derive(Clone, Debug)]
pub enum Deployed {
    /// An ECS service.
    Service(Box<Deployment>),
    /// The alias of a Lambda function.
    Function(Box<FunctionDeployment>),
}

/// What every deployment has, on whichever platform: for the questions that are asked on both.
pub trait AnyDeployment: Send + Sync + 'static {
    /// Its id.
    fn id(&self) -> &DeploymentId;
    /// Two names that tell whose it is: CodeDeploy's application and deployment group, or ECS's cluster and service.
    fn names(&self) -> (&str, &str);
    /// Whose settings it follows, for people: `group orders`, `service orders`.
    fn settings_of(&self) -> String;
    /// What things are called by whoever carries it out.
    fn terms(&self) -> &'static Terms;
    /// Whether production has moved by a step only, and stays there until ECS takes the next.
    fn is_stepping(&self) -> bool;
    /// Whose secrets its plan may use: those of CodeDeploy's application, or of ECS's service, whose name alone says little:
    /// `<cluster>/<service>`.
    fn owner_of_secrets(&self) -> String;
    /// Set when it leads back to an older version.
    fn rollback(&self) -> Option<&Rollback>;
    /// What CodeDeploy does when it fails.
    fn auto_rollback(&self) -> &AutoRollback;
    /// The alarms that stop it.
    fn alarms(&self) -> &AlarmConfiguration;
    /// Lifecycle events in progress.
    fn events_in_progress(&self) -> &[String];
}

/// The parts that both have under the same names.
macro_rules! common_parts {
    () => {
        fn id(&self) -> &DeploymentId {
            &self.id
        }
        fn rollback(&self) -> Option<&Rollback> {
            self.rollback.as_ref()
        }
        fn auto_rollback(&self) -> &AutoRollback {
            &self.auto_rollback
        }
        fn alarms(&self) -> &AlarmConfiguration {
            &self.alarms
        }
        fn events_in_progress(&self) -> &[String] {
            &self.events_in_progress
        }
    };
}

impl AnyDeployment for Deployment {
    common_parts!();

    fn names(&self) -> (&str, &str) {
        match &self.engine {
            Engine::CodeDeploy { application, group } => (application, group),
            Engine::Ecs(_) => (&self.service.cluster, &self.service.name),
        }
    }

    fn owner_of_secrets(&self) -> String {
        match &self.engine {
            Engine::CodeDeploy { application, .. } => application.clone(),
            Engine::Ecs(_) => format!("{}/{}", self.service.cluster, self.service.name),
        }
    }

    fn settings_of(&self) -> String {
        match &self.engine {
            Engine::CodeDeploy { group, .. } => format!("group {group}"),
            Engine::Ecs(_) => format!("service {}", self.service.name),
        }
    }

    fn terms(&self) -> &'static Terms {
        match &self.engine {
            Engine::CodeDeploy { .. } => &Terms::OF_CODEDEPLOY,
            Engine::Ecs(_) => &Terms::OF_ECS,
        }
    }

    fn is_stepping(&self) -> bool {
        matches!(&self.engine, Engine::Ecs(native) if native.stage == LifecycleStage::PreProductionTrafficShift)
    }
}

impl AnyDeployment for FunctionDeployment {
    common_parts!();

    fn names(&self) -> (&str, &str) {
        (&self.application, &self.group)
    }

    fn owner_of_secrets(&self) -> String {
        self.application.clone()
    }

    fn settings_of(&self) -> String {
        format!("group {}", self.group)
    }

    fn terms(&self) -> &'static Terms {
        &Terms::OF_CODEDEPLOY
    }

    fn is_stepping(&self) -> bool {
        false
    }
}

/// Why a deployment counts as a rollback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rollback {
    /// CodeDeploy started it because `of` failed, was stopped, or an alarm fired.
    Automatic {
        /// The deployment that is being undone, where CodeDeploy names it.
        of: Option<DeploymentId>,
    },
    /// Somebody deploys a revision that is older than the one that serves now.
    Manual {
        /// `family:revision` that serves now; `function:version` on Lambda.
        from: String,
        /// `family:revision` that is being deployed.
        to: String,
    },
}

/// The group's `autoRollbackConfiguration`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AutoRollback {
    /// Whether it is switched on.
    pub enabled: bool,
    /// `DEPLOYMENT_FAILURE`, `DEPLOYMENT_STOP_ON_ALARM`, `DEPLOYMENT_STOP_ON_REQUEST`.
    pub events: Vec<String>,
}

/// The `alarmConfiguration` in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlarmConfiguration {
    /// Whether CodeDeploy looks at the alarms at all.
    pub enabled: bool,
    /// Whether a deployment goes on when CodeDeploy cannot read them.
    pub ignore_poll_failure: bool,
    /// Names of CloudWatch alarms.
    pub names: Vec<String>,
}

/// The ECS service that is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Name of the cluster.
    pub cluster: String,
    /// Name of the service.
    pub name: String,
    /// How many tasks it wants.
    pub desired_count: u32,
    /// Seconds after start in which failed load balancer checks do not stop a task.
    pub health_check_grace_seconds: u32,
}

/// One side of the deployment: a task set, or a service revision as ECS runs it.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskSet {
    /// `ecs-svc/…`; tasks name it as who started them.
    pub id: String,
    /// ARN with revision.
    pub task_definition: String,
    /// `PRIMARY`, `ACTIVE` or `DRAINING`. Of a deployment by ECS, green is `PRIMARY` from its beginning on.
    pub status: String,
    /// Whether ECS calls it `STEADY_STATE`, or its rollout `COMPLETED`.
    pub steady: bool,
    /// Tasks wanted.
    pub desired: u32,
    /// Tasks starting.
    pub pending: u32,
    /// Tasks running.
    pub running: u32,
    /// Tasks that failed to start or stopped by themselves, where ECS counts them: in its own deployments.
    pub failed: Option<u32>,
    /// Share of production traffic in percent, as CodeDeploy reports it; `None` when it does not say.
    pub traffic_percent: Option<f64>,
    /// ARN of the target group its tasks are registered in.
    pub target_group_arn: String,
}

/// A target group of the pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetGroup {
    /// Its name, as CodeDeploy knows it.
    pub name: String,
    /// Its ARN, as the load balancer knows it.
    pub arn: String,
    /// Port that targets are registered with by default.
    pub port: u16,
    /// How the load balancer asks a target whether it is well.
    pub health_check: HealthCheck,
}

/// A target group's health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// Path, for example `/health`.
    pub path: String,
    /// Seconds between two checks of one target.
    pub interval_seconds: u32,
    /// Seconds until a check counts as failed.
    pub timeout_seconds: u32,
    /// Good answers in a row until a target is healthy.
    pub healthy_threshold: u32,
    /// Bad answers in a row until it is unhealthy.
    pub unhealthy_threshold: u32,
    /// Status codes that count as good, for example `200-299`.
    pub matcher: String,
}

/// A listener of the load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its ARN.
    pub arn: String,
    /// The only rule that is this service's, where it is known: ECS moves traffic by rule, CodeDeploy by listener.
    pub rule: Option<String>,
    /// `HTTP`, `HTTPS`, `TCP`, `TLS`, …
    pub protocol: String,
    /// Its port.
    pub port: u16,
    /// The load balancer it belongs to.
    pub load_balancer: LoadBalancer,
    /// Its rules in the order they are tried, the default rule last.
    pub rules: Vec<Rule>,
}

/// The load balancer of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadBalancer {
    /// Its ARN.
    pub arn: String,
    /// Its DNS name; connect here.
    pub dns_name: String,
    /// `internet-facing` or `internal`.
    pub scheme: String,
    /// `application` or `network`.
    pub kind: String,
}

/// One rule of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its ARN.
    pub arn: String,
    /// Its number; `None` for the default rule.
    pub priority: Option<u32>,
    /// Host names it matches, with wildcards as written; empty when it does not look at the host.
    pub hosts: Vec<String>,
    /// Path patterns it matches; empty when it does not look at the path.
    pub paths: Vec<String>,
    /// Header conditions: name and values.
    pub headers: Vec<(String, Vec<String>)>,
    /// What it does.
    pub action: Action,
}

/// What a rule does with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Forwards by weight: target group ARN and relative weight (not percent).
    Forward(Vec<(String, u32)>),
    /// Anything else, by its name: `redirect`, `fixed-response`, `authenticate-oidc`, …
    Other(String),
}

impl Deployment {
    /// Whether the service is new: nobody is on anything yet.
    pub fn is_first(&self) -> bool {
        self.blue.is_none() && matches!(self.engine, Engine::Ecs(_))
    }
}

impl Listener {
    /// The same with this rule only, where one is given: the others are of other services.
    pub fn narrowed(mut self, rule: Option<&str>) -> Self {
        if let Some(rule) = rule {
            self.rules.retain(|it| it.arn == rule);
            self.rule = Some(rule.to_owned());
        }
        self
    }

    /// Every target group this listener forwards to with a weight above zero, and its weight.
    pub fn weights(&self) -> impl Iterator<Item = (&str, u32)> {
        self.rules
            .iter()
            .flat_map(|rule| match &rule.action {
                Action::Forward(groups) => groups.as_slice(),
                Action::Other(_) => &[],
            })
            .filter(|(_, weight)| *weight > 0)
            .map(|(arn, weight)| (arn.as_str(), *weight))
    }
}

/// `orders` and 42 of `arn:aws:ecs:…:task-definition/orders:42`, or of `orders:42`.
pub fn family_and_revision(task_definition: &str) -> Option<(&str, u64)> {
    let name = task_definition.rsplit('/').next()?;
    let (family, revision) = name.rsplit_once(':')?;
    Some((family, revision.parse().ok()?))
}

impl TaskSet {
    /// `orders:42`: the short name of what it runs.
    pub fn version(&self) -> &str {
        self.task_definition.rsplit('/').next().unwrap_or(&self.task_definition)
    }

    /// Whether its tasks still start, by ECS's own count: fewer run than are wanted, and none has failed.
    pub(crate) fn still_starts(&self) -> bool {
        self.failed == Some(0) && self.running < self.desired
    }

    /// The same, in the target group that is known of it where ECS does not say.
    pub(crate) fn in_group_of(mut self, known: &Self) -> Self {
        if self.target_group_arn.is_empty() {
            self.target_group_arn.clone_from(&known.target_group_arn);
        }
        self
    }
}

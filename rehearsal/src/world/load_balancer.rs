//! The application load balancer: listeners, rules, target groups, targets.

use std::time::Duration;

use jiff::Timestamp;

use super::services::Colour;
use super::{ACCOUNT, REGION, State};

/// An application load balancer.
#[derive(Clone, Debug)]
pub struct LoadBalancer {
    /// Name.
    pub name: String,
    /// The last part of its ARN.
    pub id: String,
    /// Its DNS name: `127.0.0.1`, because that is where it listens.
    pub dns_name: String,
    /// Created when.
    pub created_at: Timestamp,
}

/// A listener.
#[derive(Clone, Debug)]
pub struct Listener {
    /// ARN.
    pub arn: String,
    /// ARN of its load balancer.
    pub load_balancer: String,
    /// The loopback port it really listens on, and the port that `DescribeListeners` tells; 0 until it is bound.
    pub port: u16,
    /// What it is for.
    pub role: ListenerRole,
    /// Its certificate; without one it speaks plain HTTP.
    pub certificate: Option<Certificate>,
    /// Its rules in the order they are tried; the default rule is last.
    pub rules: Vec<Rule>,
}

/// A listener's certificate and key.
#[derive(Clone)]
pub struct Certificate {
    /// Where ACM would have it.
    pub arn: String,
    /// The certificate, DER.
    pub der: Vec<u8>,
    /// Its key, PKCS #8 DER.
    pub key: Vec<u8>,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Certificate({})", self.arn)
    }
}

/// What a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerRole {
    /// Users.
    Production,
    /// Tests of green.
    Test,
}

/// A rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// ARN.
    pub arn: String,
    /// Its number; `None` for the default rule.
    pub priority: Option<u32>,
    /// All must match. Empty for the default rule.
    pub conditions: Vec<Condition>,
    /// What it does.
    pub action: Action,
}

/// A rule's condition. Patterns have `*` and `?`.
#[derive(Clone, Debug)]
pub enum Condition {
    /// One of these host names, case-insensitive.
    HostHeader(Vec<String>),
    /// One of these paths, case-sensitive.
    PathPattern(Vec<String>),
    /// This header has one of these values, case-insensitive.
    HttpHeader(String, Vec<String>),
}

/// What a rule does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Forwards by weight: target group ARNs and relative weights.
    Forward(Vec<(String, u32)>),
    /// Answers by itself.
    FixedResponse {
        /// Status code.
        status: u16,
        /// Body.
        body: String,
    },
}

/// A target group.
#[derive(Clone, Debug)]
pub struct TargetGroup {
    /// Name.
    pub name: String,
    /// ARN.
    pub arn: String,
    /// ARN of its load balancer.
    pub load_balancer: String,
    /// The port that targets are registered with by default.
    pub port: u16,
    /// Health check.
    pub health_check: HealthCheck,
    /// How long a deregistered target may finish its requests.
    pub deregistration_delay: Duration,
    /// Targets, draining ones too.
    pub targets: Vec<Target>,
}

/// How targets are asked whether they are well.
#[derive(Clone, Debug)]
pub struct HealthCheck {
    /// Path.
    pub path: String,
    /// World time between two checks of one target.
    pub interval: Duration,
    /// Real time until a check counts as failed: work is real.
    pub timeout: Duration,
    /// Good answers in a row until healthy.
    pub healthy_threshold: u32,
    /// Bad answers in a row until unhealthy.
    pub unhealthy_threshold: u32,
    /// Codes that count as good: `200`, `200-299`, `200,204`.
    pub matcher: String,
}

/// A target: a task's address.
#[derive(Clone, Debug)]
pub struct Target {
    /// Task id.
    pub task: String,
    /// Always a loopback address.
    pub address: String,
    /// Port.
    pub port: u16,
    /// Zone.
    pub zone: &'static str,
    /// Its health as the load balancer tells it.
    pub health: Health,
    /// Since when.
    pub since: Timestamp,
    /// Good answers in a row (positive) or bad ones (negative), as of the last change of its health: every check would
    /// wake the whole world.
    pub streak: i32,
    /// Requests under way, as of the last change of its health and, while it drains, of every change.
    pub in_flight: u32,
}

/// A target's state with the documented reason.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// No listener forwards to the group: not checked. `Target.NotInUse`.
    Unused,
    /// Registered, not enough checks yet. `Elb.RegistrationInProgress` or `Elb.InitialHealthChecking`.
    Initial {
        /// Whether the first check has been sent.
        checking: bool,
    },
    /// Enough good answers in a row.
    Healthy,
    /// Enough bad answers in a row; how the last one was bad.
    Unhealthy(BadAnswer),
    /// Deregistered, finishing its requests. `Target.DeregistrationInProgress`.
    Draining,
}

/// How a health check failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadAnswer {
    /// `Target.ResponseCodeMismatch`: it answered with this code.
    Code(u16),
    /// `Target.Timeout`.
    Timeout,
    /// `Target.FailedHealthChecks`: connection refused or reset, or not HTTP.
    Broken,
}

impl Health {
    /// `initial`, `healthy`, `unhealthy`, `unused`, `draining`.
    pub fn state(&self) -> &'static str {
        match self {
            Self::Unused => "unused",
            Self::Initial { .. } => "initial",
            Self::Healthy => "healthy",
            Self::Unhealthy(_) => "unhealthy",
            Self::Draining => "draining",
        }
    }

    /// The documented reason code; a healthy target has none.
    pub fn reason(&self) -> Option<&'static str> {
        Some(match self {
            Self::Unused => "Target.NotInUse",
            Self::Initial { checking: false } => "Elb.RegistrationInProgress",
            Self::Initial { checking: true } => "Elb.InitialHealthChecking",
            Self::Healthy => return None,
            Self::Unhealthy(BadAnswer::Code(_)) => "Target.ResponseCodeMismatch",
            Self::Unhealthy(BadAnswer::Timeout) => "Target.Timeout",
            Self::Unhealthy(BadAnswer::Broken) => "Target.FailedHealthChecks",
            Self::Draining => "Target.DeregistrationInProgress",
        })
    }

    /// In words; a healthy target has none.
    pub fn description(&self) -> Option<String> {
        Some(match self {
            Self::Unused => "Target group is not configured to receive traffic from the load balancer".to_owned(),
            Self::Initial { checking: false } => "Target registration is in progress".to_owned(),
            Self::Initial { checking: true } => "Initial health checks in progress".to_owned(),
            Self::Healthy => return None,
            Self::Unhealthy(BadAnswer::Code(code)) => format!("Health checks failed with these codes: [{code}]"),
            Self::Unhealthy(BadAnswer::Timeout) => "Request timed out".to_owned(),
            Self::Unhealthy(BadAnswer::Broken) => "Health checks failed".to_owned(),
            Self::Draining => "Target deregistration is in progress".to_owned(),
        })
    }
}

impl HealthCheck {
    /// Whether the matcher takes this code for a good one.
    pub fn accepts(&self, code: u16) -> bool {
        self.matcher.split(',').any(|part| {
            let part = part.trim();
            match part.split_once('-') {
                Some((from, to)) => match (from.trim().parse::<u16>(), to.trim().parse::<u16>()) {
                    (Ok(from), Ok(to)) => (from..=to).contains(&code),
                    _ => false,
                },
                None => part.parse() == Ok(code),
            }
        })
    }
}

impl LoadBalancer {
    /// ARN.
    pub fn arn(&self) -> String {
        format!("arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/app/{}/{}", self.name, self.id)
    }
}

/// The value of CloudWatch's `LoadBalancer` dimension, `app/name/id`, for the ARN of a load balancer.
pub fn load_balancer_dimension(arn: &str) -> &str {
    arn.split_once(":loadbalancer/").map_or(arn, |(_, name)| name)
}

/// The value of CloudWatch's `TargetGroup` dimension, `targetgroup/name/id`, for the ARN of a target group.
pub fn target_group_dimension(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

impl State {
    /// The target group with this ARN.
    pub fn target_group(&self, arn: &str) -> Option<&TargetGroup> {
        self.target_groups.iter().find(|group| group.arn == arn)
    }

    /// As [`State::target_group`], to change it.
    pub fn target_group_mut(&mut self, arn: &str) -> Option<&mut TargetGroup> {
        self.target_groups.iter_mut().find(|group| group.arn == arn)
    }

    /// The target group with this name.
    pub fn target_group_named(&self, name: &str) -> Option<&TargetGroup> {
        self.target_groups.iter().find(|group| group.name == name)
    }

    /// The listener with this ARN.
    pub fn listener(&self, arn: &str) -> Option<&Listener> {
        self.listeners.iter().find(|listener| listener.arn == arn)
    }

    /// As [`State::listener`], to change it.
    pub fn listener_mut(&mut self, arn: &str) -> Option<&mut Listener> {
        self.listeners.iter_mut().find(|listener| listener.arn == arn)
    }

    /// The target of this task in this group, to change it.
    pub fn target_mut(&mut self, target_group: &str, task: &str) -> Option<&mut Target> {
        self.target_group_mut(target_group)?.targets.iter_mut().find(|target| target.task == task)
    }

    /// A target's name for people: `127.0.0.1:34567 (green task 1a2b3c4d)`.
    pub fn target_name(&self, target: &Target) -> String {
        format!("{}:{} ({})", target.address, target.port, self.task_name(&target.task))
    }

    /// A task's name for people: `green task 1a2b3c4d`.
    pub fn task_name(&self, task: &str) -> String {
        let colour = self.colour_of_task(task).map(|colour| format!("{colour} ")).unwrap_or_default();
        format!("{colour}task {}", task.get(..8).unwrap_or(task))
    }

    /// The colour of the task set that a task belongs to.
    pub fn colour_of_task(&self, task: &str) -> Option<Colour> {
        let task = self.tasks.iter().find(|it| it.id == task)?;
        Some(self.task_set(&task.task_set)?.colour)
    }

    /// Whether any rule of any listener names this target group, whatever its weight: then its targets are checked.
    pub fn is_in_use(&self, target_group: &str) -> bool {
        self.listeners.iter().flat_map(|listener| &listener.rules).any(|rule| match &rule.action {
            Action::Forward(groups) => groups.iter().any(|(arn, _)| arn == target_group),
            Action::FixedResponse { .. } => false,
        })
    }
}

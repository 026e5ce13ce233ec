//! The one world behind every endpoint: services, tasks, listeners, targets, alarms, deployments.
//!
//! Plain data and the rules that AWS documents for it. No I/O, no AWS wire shapes, no processes: those live around it
//! and meet here. Whoever waits for something waits for the world to change ([`World::until`]).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::clock::Clock;

pub mod alarms;
pub mod deployment_configuration;
pub mod deployments;
pub mod faults;
pub mod functions;
pub mod journal;
pub mod load_balancer;
pub mod log_filter;
pub mod logs;
pub mod metrics;
pub mod service_deployments;
pub mod services;
pub mod stores;

use alarms::Alarm;
use deployments::CodeDeploy;
use faults::Fault;
use functions::{Alias, Detour, Function, Invocation, Notice};
use journal::Journal;
use load_balancer::{Listener, LoadBalancer, TargetGroup};
use logs::Logs;
use metrics::Metrics;
use service_deployments::{ServiceDeployment, ServiceRevision};
use services::{Service, Task, TaskDefinition};
use stores::Stores;

/// The account every ARN of the rehearsal belongs to.
pub const ACCOUNT: &str = "123456789012";
/// The Region every ARN of the rehearsal belongs to.
pub const REGION: &str = "eu-west-1";
/// Its two availability zones.
pub const ZONES: [&str; 2] = ["eu-west-1a", "eu-west-1b"];

/// The world: one state, one clock, and a bell that rings at every change.
pub struct World {
    /// The world's time.
    pub clock: Clock,
    /// Counted at every request; apart from the state, so that traffic does not wake everybody.
    pub metrics: Metrics,
    /// What containers wrote.
    pub logs: Logs,
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

/// Everything there is.
#[derive(Default)]
pub struct State {
    /// Task definitions, every revision.
    pub task_definitions: Vec<TaskDefinition>,
    /// ECS services with their task sets.
    pub services: Vec<Service>,
    /// Tasks, running and stopped.
    pub tasks: Vec<Task>,
    /// Load balancers.
    pub load_balancers: Vec<LoadBalancer>,
    /// Listeners with their rules.
    pub listeners: Vec<Listener>,
    /// Target groups with their targets.
    pub target_groups: Vec<TargetGroup>,
    /// CloudWatch alarms.
    pub alarms: Vec<Alarm>,
    /// CodeDeploy's applications, groups, configurations, revisions and deployments.
    pub codedeploy: CodeDeploy,
    /// Deployments that ECS itself carries out, oldest first.
    pub service_deployments: Vec<ServiceDeployment>,
    /// Revisions of services whose deployments ECS carries out, oldest first.
    pub service_revisions: Vec<ServiceRevision>,
    /// Versions of Lambda functions.
    pub functions: Vec<Function>,
    /// Aliases of Lambda functions.
    pub aliases: Vec<Alias>,
    /// Invocations of functions, oldest first.
    pub invocations: Vec<Invocation>,
    /// What AWS is about to tell functions.
    pub notices: Vec<Notice>,
    /// Parameters, secrets, objects and database instances.
    pub stores: Stores,
    /// Faults of AWS endpoints that are still to strike.
    pub faults: Vec<Fault>,
    /// What a function is told in place of the truth, by its name.
    pub detours: BTreeMap<String, Detour>,
    /// An availability zone that has no room for green's tasks.
    pub zone_without_room: Option<&'static str>,
    /// Which part of the deployment production requests fall into: a lifecycle event, or a step of it.
    pub phase: String,
    /// What happened, in order.
    pub journal: Journal,
}

impl World {
    /// An empty world.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            metrics: Metrics::default(),
            logs: Logs::default(),
            state: Mutex::new(State::default()),
            changed: watch::Sender::new(0),
        }
    }

    /// The world's time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Looks at the state.
    pub fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    /// Changes the state and rings the bell.
    pub fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.send_modify(|count| *count += 1);
        result
    }

    /// Writes a line into the journal at the world's present time.
    pub fn say(&self, who: journal::Who, text: impl Into<String>) {
        let now = self.now();
        let text = text.into();
        self.update(|state| state.journal.say(now, who, text));
    }

    /// Waits until `look` finds what it looks for; it is asked now and after every change.
    pub async fn until<T>(&self, mut look: impl FnMut(&State) -> Option<T>) -> T {
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(found) = self.read(&mut look) {
                return found;
            }
            changed.changed().await.expect("the world outlives those who wait for it");
        }
    }

    /// Rings at every change, for actors that keep something outside in step with the world.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held is a defect of the rehearsal; going on with the state shows more than hiding it.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

//! The outside world in memory, for tests: every port answers from one state that a test sets up and may change between
//! two questions.
//!
//! The samples fit together: service `orders` of cluster `shop`, blue `orders:41` on `tg-blue`, green `orders:42` on
//! `tg-green`, production on port 80, test on port 9001.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;

use crate::check::{CannotTell, CheckContext, Waits};
use crate::deadline::Deadline;
use crate::deployment::{Alias, Listener, TaskSet};
use crate::load::{self, Barrage, Fault as LoadFault, Load, Sender, Tally};
use crate::ports::{
    AlarmState, Alarms, Counts, Database, FunctionCall, Invoked, Metrics, Ports, Probe, ProbeError, ProbeRequest,
    ProbeResponse, Scan, SecretDescription, Started, TargetHealth, Targets, Task, TaskDefinition, TaskOrder, Tasks,
    World,
};
use crate::stage::Stage;

mod engine;
mod functions;
mod one_off;
mod samples;
mod stores;

pub use self::engine::{EngineState, FakeEngine, Fault};
pub use self::functions::{failed, returned};
pub use self::samples::{
    BLUE_GROUP, BLUE_TASK_DEFINITION, GREEN_GROUP, GREEN_TASK_DEFINITION, PRODUCTION_LISTENER, TEST_LISTENER, answer,
    deployment, forward, function_deployment, healthy, listener, native_record, task, task_definition, task_set,
};

/// The outside world. Clones share one state.
#[derive(Clone, Default)]
pub struct Fakes {
    state: Arc<Mutex<State>>,
}

/// What the world looks like now. A test changes it through [`Fakes::state`].
#[derive(Default)]
pub struct State {
    /// Task definitions that ECS knows.
    pub task_definitions: Vec<TaskDefinition>,
    /// Task sets of the service.
    pub task_sets: Vec<TaskSet>,
    /// Tasks by the id of their task set.
    pub tasks: BTreeMap<String, Vec<Task>>,
    /// Tasks that run once, with the mark of each.
    pub one_off_tasks: Vec<(String, Task)>,
    /// Orders for such tasks that were given, in order.
    pub orders: Vec<TaskOrder>,
    /// What orders come to instead of a task, in the order they are given.
    pub not_started: VecDeque<Started>,
    /// Tasks that were told to stop, and why: ARN and reason.
    pub stops: Vec<(String, String)>,
    /// Targets by ARN of the target group.
    pub targets: BTreeMap<String, Vec<TargetHealth>>,
    /// Listeners that the load balancer knows.
    pub listeners: Vec<Listener>,
    /// Alarms that CloudWatch knows.
    pub alarms: Vec<AlarmState>,
    /// Requests that CloudWatch counted, by ARN of the target group.
    pub requests_counted: BTreeMap<String, BTreeMap<jiff::Timestamp, Counts>>,
    /// Secrets by name.
    pub secrets: BTreeMap<String, String>,
    /// What is told of a secret without its value, by name or ARN.
    pub descriptions: BTreeMap<String, SecretDescription>,
    /// Parameters by name.
    pub parameters: BTreeMap<String, String>,
    /// Lines by log stream.
    pub logs: BTreeMap<String, Vec<String>>,
    /// Images that ECR knows, by repository and reference, `orders:42`; what a scan of them found.
    pub images: BTreeMap<String, Scan>,
    /// Databases that RDS knows.
    pub databases: Vec<Database>,
    /// Buckets by name: their objects by key.
    pub buckets: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    /// Deregistration delay by ARN of the target group, in seconds; 300 where none is said, as at AWS.
    pub deregistration_delays: BTreeMap<String, u32>,
    /// Replies by the end of the URL, in the order they are given; the last one is given again and again.
    pub replies: BTreeMap<String, VecDeque<Result<ProbeResponse, ProbeError>>>,
    /// Requests that were sent, in order.
    pub requests: Vec<ProbeRequest>,
    /// Where the alias of the sample function leads, once a test says.
    pub alias: Option<Alias>,
    /// What invocations come to, in the order they are given; the last one is given again and again.
    pub returns: VecDeque<Result<Option<Invoked>, bool>>,
    /// Invocations that were made, in order.
    pub calls: Vec<FunctionCall>,
    /// Events that were left for functions: name and JSON text.
    pub sent: Vec<(String, String)>,
    /// Set while no port can be asked; the flag says whether asking again may help.
    pub unreachable: Option<bool>,
}

impl Fakes {
    /// The world of the sample deployment with everything well: both task sets steady on two tasks, every target
    /// healthy, the production listener on blue and the test listener on green, no alarm, no reply to any request.
    pub fn well() -> Self {
        let deployment = deployment();
        let fakes = Self::default();
        {
            let mut state = fakes.state();
            state.task_definitions =
                vec![task_definition(BLUE_TASK_DEFINITION), task_definition(GREEN_TASK_DEFINITION)];
            state.images =
                ["orders:41", "orders:42"].map(|image| (image.to_owned(), Scan::Complete(BTreeMap::new()))).into();
            for (task_set, first) in [(deployment.blue, 10), (deployment.green, 20)] {
                let task_set = task_set.expect("the sample deployment has both sides");
                let tasks = vec![task(&task_set, first), task(&task_set, first + 1)];
                let targets = tasks.iter().map(|task| healthy(&task.addresses[0])).collect();
                state.targets.insert(task_set.target_group_arn.clone(), targets);
                state.tasks.insert(task_set.id.clone(), tasks);
                state.task_sets.push(task_set);
            }
            state.listeners.push(deployment.production);
            state.listeners.extend(deployment.test);
        }
        fakes
    }

    /// The state, to look at or to change.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the state")
    }

    /// From now on requests whose URL ends so get these replies, in order; the last one is given again and again.
    pub fn reply(&self, url_end: &str, replies: impl IntoIterator<Item = Result<ProbeResponse, ProbeError>>) {
        self.state().replies.insert(url_end.to_owned(), replies.into_iter().collect());
    }

    /// Ports that ask this world.
    pub fn ports(&self) -> Ports {
        self.world().into()
    }

    /// This world at every port, for a test that puts something else at one of them.
    pub fn world(&self) -> World {
        let world = Arc::new(self.clone());
        World {
            tasks: world.clone(),
            one_off_tasks: world.clone(),
            targets: world.clone(),
            alarms: world.clone(),
            metrics: world.clone(),
            probe: world.clone(),
            load: world.clone(),
            functions: world.clone(),
            secrets: world.clone(),
            parameters: world.clone(),
            logs: world.clone(),
            images: world.clone(),
            databases: world.clone(),
            objects: world,
        }
    }

    /// What a check is given: the sample deployment at this stage, ten minutes left, ports that ask this world.
    pub fn context(&self, stage: Stage) -> CheckContext {
        self.context_of(stage, deployment())
    }

    /// As [`Self::context`], about another deployment.
    pub fn context_of<D>(&self, stage: Stage, deployment: D) -> CheckContext<D> {
        CheckContext {
            waits: Waits::Here,
            stage,
            deployment: Arc::new(deployment),
            now: "2026-11-21T12:30:00Z".parse().expect("a time"),
            deadline: Deadline::after(Duration::from_secs(600)),
            ports: self.ports(),
        }
    }

    fn reach(&self, asked: &str) -> Result<MutexGuard<'_, State>, CannotTell> {
        let state = self.state();
        match state.unreachable {
            None => Ok(state),
            Some(transient) => Err(CannotTell {
                asked: asked.to_owned(),
                remedy: "Allow the call in the function's role.".to_owned(),
                transient,
                source: Some("the call was refused".into()),
            }),
        }
    }
}

#[async_trait]
impl Tasks for Fakes {
    async fn task_definition(&self, arn: &str) -> Result<Option<TaskDefinition>, CannotTell> {
        let state = self.reach(&format!("task definition {arn}"))?;
        Ok(state.task_definitions.iter().find(|known| known.arn == arn).cloned())
    }

    async fn task_sets(&self, cluster: &str, service: &str) -> Result<Vec<TaskSet>, CannotTell> {
        Ok(self.reach(&format!("task sets of {cluster}/{service}"))?.task_sets.clone())
    }

    async fn tasks(&self, _cluster: &str, task_set: &TaskSet) -> Result<Vec<Task>, CannotTell> {
        let state = self.reach(&format!("tasks of {}", task_set.id))?;
        Ok(state.tasks.get(&task_set.id).cloned().unwrap_or_default())
    }
}

#[async_trait]
impl Targets for Fakes {
    async fn health(&self, target_group_arn: &str) -> Result<Vec<TargetHealth>, CannotTell> {
        let state = self.reach(&format!("health of {target_group_arn}"))?;
        Ok(state.targets.get(target_group_arn).cloned().unwrap_or_default())
    }

    async fn deregistration_delay(&self, target_group_arn: &str) -> Result<u32, CannotTell> {
        let state = self.reach(&format!("attributes of {target_group_arn}"))?;
        Ok(state.deregistration_delays.get(target_group_arn).copied().unwrap_or(300))
    }

    async fn listener(&self, listener_arn: &str) -> Result<Listener, CannotTell> {
        let asked = format!("listener {listener_arn}");
        let state = self.reach(&asked)?;
        let found = state.listeners.iter().find(|listener| listener.arn == listener_arn).cloned();
        found.ok_or_else(|| CannotTell {
            asked,
            remedy: "Point the deployment group at a listener that exists.".to_owned(),
            transient: false,
            source: Some("there is no such listener".into()),
        })
    }
}

#[async_trait]
impl Alarms for Fakes {
    async fn states(&self, names: &[String]) -> Result<Vec<AlarmState>, CannotTell> {
        let state = self.reach("state of the alarms")?;
        Ok(state.alarms.iter().filter(|alarm| names.contains(&alarm.name)).cloned().collect())
    }
}

#[async_trait]
impl Metrics for Fakes {
    async fn requests(
        &self,
        _load_balancer_arn: &str,
        target_group_arns: [&str; 2],
        from: jiff::Timestamp,
    ) -> Result<[BTreeMap<jiff::Timestamp, Counts>; 2], CannotTell> {
        let state = self.reach(&format!("requests of {}", target_group_arns[0]))?;
        Ok(target_group_arns.map(|arn| {
            let counted = state.requests_counted.get(arn).cloned().unwrap_or_default();
            counted.into_iter().filter(|(at, _)| *at >= from).collect()
        }))
    }
}

#[async_trait]
impl Probe for Fakes {
    async fn send(&self, request: ProbeRequest) -> Result<ProbeResponse, ProbeError> {
        let mut state = self.state();
        let replies = state.replies.iter_mut().find(|(end, _)| request.url.ends_with(end.as_str()));
        let reply = replies.and_then(|(_, replies)| match replies.len() {
            0 | 1 => replies.front().cloned(),
            _ => replies.pop_front(),
        });
        state.requests.push(request);
        reply.unwrap_or_else(|| Err(ProbeError { reason: "connection refused".to_owned(), refused: true }))
    }
}

/// Every request of a load takes as long as its reply says.
#[async_trait]
impl Load for Fakes {
    async fn run(&self, barrage: Barrage, fault: &LoadFault<'_>) -> Tally {
        let sender = Replying { world: self, requests: barrage.requests.clone() };
        load::send(&barrage, &sender, fault).await
    }
}

struct Replying<'a> {
    world: &'a Fakes,
    requests: Vec<ProbeRequest>,
}

impl Sender for Replying<'_> {
    async fn send(&self, number: usize) -> Result<ProbeResponse, ProbeError> {
        let reply = self.world.send(self.requests[number].clone()).await?;
        tokio::time::sleep(reply.took).await;
        Ok(reply)
    }
}

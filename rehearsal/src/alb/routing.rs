//! Where a request goes: a snapshot of listeners, rules, groups and targets, rebuilt at every change of the world.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use bytes::Bytes;
use http::request::Parts;
use hyper::body::Incoming;
use tokio::sync::Notify;

use super::conditions;
use super::connections::Connections;
use super::measure::TargetSeries;
use super::wheel::Wheel;
use crate::world::load_balancer::{
    Action, Condition, Health, Target, TargetGroup, load_balancer_dimension, target_group_dimension,
};
use crate::world::services::Colour;
use crate::world::{State, World};

/// A target's ARN of its group and its task.
pub(super) type TargetKey = (String, String);

/// What a rule forwards to: ARNs of target groups and their weights.
type Weights = Vec<(String, u32)>;

/// Keeps the present routing and what outlives it.
pub(super) struct Router {
    present: RwLock<Arc<Routing>>,
    kept: Mutex<Kept>,
    world: std::sync::Weak<World>,
}

/// What outlives a snapshot: whose turn it is, connections, requests under way.
#[derive(Default)]
struct Kept {
    wheels: HashMap<String, (Weights, Arc<Wheel>)>,
    turns: HashMap<String, Arc<AtomicUsize>>,
    lanes: HashMap<TargetKey, Arc<Lane>>,
    series: HashMap<String, TargetSeries>,
}

/// Everything there is to route by.
#[derive(Default)]
pub(super) struct Routing {
    /// Rules by the ARN of their listener.
    rules: HashMap<String, Vec<Rule>>,
    groups: HashMap<String, Arc<Group>>,
}

struct Rule {
    conditions: Vec<Condition>,
    route: Route,
}

enum Route {
    Forward(Arc<Wheel>, Vec<String>),
    Fixed { status: u16, body: Bytes },
}

/// A target group as requests see it.
pub(super) struct Group {
    pub(super) name: String,
    pub(super) series: TargetSeries,
    /// Those that get requests: the healthy ones, or all that do not drain when none is healthy.
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>
    open: Vec<(Arc<Lane>, Option<Colour>)>,
    turn: Arc<AtomicUsize>,
}

/// What is kept of a target for as long as it is registered.
pub(super) struct Lane {
    pub(super) address: SocketAddr,
    pub(super) task: String,
    pub(super) connections: Connections<Incoming>,
    in_flight: AtomicU32,
    draining: AtomicBool,
    ended: Notify,
}

/// A request's place at a target, until it is dropped.
pub(super) struct Claim {
    pub(super) lane: Arc<Lane>,
    pub(super) colour: Option<Colour>,
}

/// What becomes of a request.
pub(super) enum Decision {
    Fixed { status: u16, body: Bytes },
    NoTarget { group: Option<Arc<Group>> },
    Target { group: Arc<Group>, claim: Claim },
}

impl Router {
    pub(super) fn new(world: &Arc<World>) -> Self {
        let router =
            Self { present: RwLock::default(), kept: Mutex::new(Kept::default()), world: Arc::downgrade(world) };
        router.rebuild();
        router
    }

    /// Takes the world's present state.
    pub(super) fn rebuild(&self) {
        let Some(world) = self.world.upgrade() else { return };
        let mut kept = self.kept.lock().expect("nothing panics while it holds what is kept");
        let (routing, draining) = world.read(|state| (kept.build(state, &world), draining(state)));
        *self.present.write().expect("nothing panics while it holds the routing") = Arc::new(routing);
        // Only now: whoever still comes with an older snapshot sees the flag, asks again and gets the new one.
        for (key, lane) in &kept.lanes {
            lane.draining.store(draining.contains(key), Ordering::SeqCst);
        }
    }

    /// Chooses what becomes of a request to this listener.
    pub(super) fn decide(&self, listener: &str, request: &Parts) -> Decision {
        let routing = self.routing();
        let rules = routing.rules.get(listener).map_or(&[][..], Vec::as_slice);
        let met =
            rules.iter().find(|rule| rule.conditions.iter().all(|condition| conditions::holds(condition, request)));
        let Some(rule) = met else { return Decision::NoTarget { group: None } };
        match &rule.route {
            Route::Fixed { status, body } => Decision::Fixed { status: *status, body: body.clone() },
            Route::Forward(wheel, groups) => match wheel.turn() {
                Some(index) => self.place(routing.groups.get(&groups[index]).cloned(), &groups[index]),
                None => Decision::NoTarget { group: None },
            },
        }
    }

    /// A place at the target of this group whose turn it is.
    fn place(&self, mut group: Option<Arc<Group>>, arn: &str) -> Decision {
        loop {
            let Some(found) = group else { return Decision::NoTarget { group: None } };
            if found.open.is_empty() {
                return Decision::NoTarget { group: Some(found) };
            }
            let turn = found.turn.fetch_add(1, Ordering::Relaxed) % found.open.len();
            let (lane, colour) = &found.open[turn];
            if let Some(claim) = lane.claim(*colour) {
                return Decision::Target { group: found, claim };
            }
            group = self.routing().groups.get(arn).cloned();
        }
    }

    /// What is kept of a target.
    pub(super) fn lane(&self, key: &TargetKey) -> Option<Arc<Lane>> {
        self.kept.lock().expect("nothing panics while it holds what is kept").lanes.get(key).cloned()
    }

    fn routing(&self) -> Arc<Routing> {
        self.present.read().expect("nothing panics while it holds the routing").clone()
    }
}

impl Kept {
    fn build(&mut self, state: &State, world: &World) -> Routing {
        let mut routing = Routing::default();
        let mut lanes = HashMap::new();
        for group in &state.target_groups {
            routing.groups.insert(group.arn.clone(), Arc::new(self.group(group, state, world, &mut lanes)));
        }
        self.lanes = lanes;
        let mut wheels = HashMap::new();
        for listener in &state.listeners {
            let rules = listener.rules.iter().map(|rule| {
                let route = match &rule.action {
                    Action::FixedResponse { status, body } => {
                        Route::Fixed { status: *status, body: Bytes::from(body.clone()) }
                    }
                    Action::Forward(groups) => {
                        let wheel = match self.wheels.remove(&rule.arn) {
                            // Health changes and the like must not begin the round anew: the share would be off.
                            Some((weights, wheel)) if weights == *groups => wheel,
                            _ => Arc::new(Wheel::new(groups.iter().map(|(_, weight)| *weight).collect())),
                        };
                        wheels.insert(rule.arn.clone(), (groups.clone(), wheel.clone()));
                        Route::Forward(wheel, groups.iter().map(|(arn, _)| arn.clone()).collect())
                    }
                };
                Rule { conditions: rule.conditions.clone(), route }
            });
            routing.rules.insert(listener.arn.clone(), rules.collect());
        }
        self.wheels = wheels;
        routing
    }

    fn group(
        &mut self,
        group: &TargetGroup,
        state: &State,
        world: &World,
        lanes: &mut HashMap<TargetKey, Arc<Lane>>,
    ) -> Group {
        let mut healthy = Vec::new();
        let mut others = Vec::new();
        for target in &group.targets {
            let key = (group.arn.clone(), target.task.clone());
            let Some(address) = address(target) else { continue };
            let lane = match self.lanes.remove(&key) {
                Some(lane) if lane.address == address => lane,
                _ => Arc::new(Lane::new(address, &target.task)),
            };
            lanes.insert(key, lane.clone());
            let open = (lane, state.colour_of_task(&target.task));
            match target.health {
                Health::Draining => {}
                Health::Healthy => healthy.push(open),
                Health::Unused | Health::Initial { .. } | Health::Unhealthy(_) => others.push(open),
            }
        }
        let series = self.series.entry(group.arn.clone()).or_insert_with(|| {
            let balancer = load_balancer_dimension(&group.load_balancer);
            TargetSeries::new(&world.metrics, balancer, Some(target_group_dimension(&group.arn)))
        });
        Group {
            name: group.name.clone(),
            series: series.clone(),
            open: if healthy.is_empty() { others } else { healthy },
            turn: self.turns.entry(group.arn.clone()).or_default().clone(),
        }
    }
}

/// The address of a target; `None` for what is none, which then gets nothing.
pub(super) fn address(target: &Target) -> Option<SocketAddr> {
    Some(SocketAddr::new(target.address.parse().ok()?, target.port))
}

fn draining(state: &State) -> std::collections::HashSet<TargetKey> {
    let of_group = |group: &TargetGroup| {
        let drains = group.targets.iter().filter(|target| target.health == Health::Draining);
        drains.map(|target| (group.arn.clone(), target.task.clone())).collect::<Vec<_>>()
    };
    state.target_groups.iter().flat_map(of_group).collect()
}

impl Lane {
    fn new(address: SocketAddr, task: &str) -> Self {
        Self {
            address,
            task: task.to_owned(),
            connections: Connections::new(address),
            in_flight: AtomicU32::new(0),
            draining: AtomicBool::new(false),
            ended: Notify::new(),
        }
    }

    /// Requests under way.
    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Waits for a request to end while it drains.
    pub(super) async fn ended(&self) {
        self.ended.notified().await;
    }

    /// A place, unless it drains. Counted first and looked at second, so that whoever drains it either is seen here or
    /// sees this request there.
    fn claim(self: &Arc<Self>, colour: Option<Colour>) -> Option<Claim> {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        let claim = Claim { lane: self.clone(), colour };
        (!self.draining.load(Ordering::SeqCst)).then_some(claim)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.lane.in_flight.fetch_sub(1, Ordering::SeqCst);
        if self.lane.draining.load(Ordering::SeqCst) {
            self.lane.ended.notify_one();
        }
    }
}

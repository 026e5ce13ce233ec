//! Lambda: functions as real processes behind a real Runtime API, treated as Lambda treats them.
//!
//! Who invokes a function puts an invocation into the world as `Queued`. It is taken by an idle environment of the
//! function or by a new one; an environment is one process, serves one invocation at a time and is frozen in between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::reaper::Reaper;
use crate::world::functions::{Function, Invocation, InvocationStatus};
use crate::world::journal::Who;
use crate::world::{State, World};

mod aftermath;
mod environment;
mod memory;
mod runtime_api;
mod variables;

use environment::{Assignment, Environment};

/// Most environments of one function that work at a time: what a new AWS account has. More invocations wait.
const CONCURRENCY: usize = 10;

/// How long Lambda waits, in world time, before it tries an `Event` invocation again.
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>
const RETRY_AFTER: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];

/// What every function is told.
#[derive(Clone)]
pub struct Settings {
    /// Where the AWS APIs answer.
    pub endpoint_url: String,
    /// Clears up when this process is killed.
    pub reaper: Option<Reaper>,
}

/// Runs the world's functions for ever. Dropped, it kills them all.
pub async fn run(world: Arc<World>, settings: Settings) {
    let settings = Arc::new(settings);
    let mut changes = world.changes();
    let (idle, mut idles) = mpsc::unbounded_channel();
    let mut fleet =
        Fleet { world: Arc::clone(&world), settings, idle, seats: BTreeMap::new(), lives: JoinSet::new(), next: 0 };
    if !memory::can_be_watched() {
        world.say(Who::Rehearsal, "this machine has no /proc: the memory limits of functions are not enforced");
    }
    let mut retried = BTreeSet::new();
    let mut retries = JoinSet::new();
    loop {
        changes.mark_unchanged();
        fleet.assign();
        fleet.discard_removed();
        for invocation in world.read(|state| failed(&state.invocations, &retried)) {
            retried.insert((invocation.id.clone(), invocation.attempt));
            retries.spawn(retry(Arc::clone(&world), invocation));
        }
        let now = world.now();
        if let Some(due) =
            world.read(|state| state.notices.iter().map(|notice| notice.due).min()).filter(|due| *due <= now)
        {
            world.update(|state| deliver(state, due, now));
        }
        let next_notice = world.read(|state| state.notices.iter().map(|notice| notice.due).min());
        tokio::select! {
            changed = changes.changed() => changed.expect("the world outlives its functions"),
            Some(number) = idles.recv() => fleet.rests(number),
            Some(ended) = fleet.lives.join_next() => match ended {
                Ok((number, unserved)) => fleet.gone(number, unserved),
                Err(error) => tracing::error!(%error, "an execution environment ended in a panic"),
            },
            Some(_) = retries.join_next() => {}
            () = at(&world, next_notice) => {}
        }
    }
}

/// The environments of all functions.
struct Fleet {
    world: Arc<World>,
    settings: Arc<Settings>,
    idle: mpsc::UnboundedSender<u64>,
    seats: BTreeMap<u64, Seat>,
    lives: JoinSet<(u64, Option<Assignment>)>,
    /// The number of the next environment; none is used twice.
    next: u64,
}

/// One environment as seen from here.
struct Seat {
    function: Function,
    idle: bool,
    orders: mpsc::Sender<Assignment>,
}

impl Fleet {
    /// Hands every queued invocation to an environment, as far as there are any.
    fn assign(&mut self) {
        let queued: Vec<Invocation> = self.world.read(|state| {
            state.invocations.iter().filter(|it| it.status == InvocationStatus::Queued).cloned().collect()
        });
        for invocation in queued {
            let function = self.world.read(|state| state.version(&invocation.function, &invocation.version).cloned());
            let Some(function) = function else {
                let reason = format!("there is no function named {}", invocation.function);
                environment::refuse(&self.world, &invocation, reason);
                continue;
            };
            self.discard_outdated(&function);
            if let Some(seat) = self.seats.values_mut().find(|seat| seat.idle && seat.function == function) {
                let assignment = claim(&self.world, &invocation, false);
                seat.idle = false;
                if let Err(
                    mpsc::error::TrySendError::Closed(assignment) | mpsc::error::TrySendError::Full(assignment),
                ) = seat.orders.try_send(assignment)
                {
                    // It died in its sleep.
                    requeue(&self.world, &assignment);
                }
            } else if self.busy(&function) < CONCURRENCY {
                self.begin(function, &invocation);
            }
        }
    }

    /// Environments of any version that work; those that rest do not count.
    fn busy(&self, function: &Function) -> usize {
        self.seats.values().filter(|seat| !seat.idle && seat.function.name == function.name).count()
    }

    fn begin(&mut self, function: Function, invocation: &Invocation) {
        let number = self.next;
        self.next += 1;
        let (orders, ordered) = mpsc::channel(1);
        let first = claim(&self.world, invocation, true);
        let environment = Environment::new(
            Arc::clone(&self.world),
            Arc::clone(&self.settings),
            function.clone(),
            ordered,
            number,
            self.idle.clone(),
        );
        self.seats.insert(number, Seat { function, idle: false, orders });
        self.lives.spawn(async move { (number, environment.live(first).await) });
    }

    /// An environment of a function that was changed since serves nothing more: dropping its orders ends it.
    fn discard_outdated(&mut self, function: &Function) {
        let same = |seat: &Seat| seat.function.name == function.name && seat.function.version == function.version;
        let outdated = |seat: &Seat| seat.idle && same(seat) && seat.function != *function;
        self.seats.retain(|_, seat| !outdated(seat));
    }

    /// Whoever rests and is no function any more ends.
    fn discard_removed(&mut self) {
        if self.seats.values().any(|seat| seat.idle) {
            let known: BTreeSet<String> =
                self.world.read(|state| state.functions.iter().map(|function| function.name.clone()).collect());
            self.seats.retain(|_, seat| !seat.idle || known.contains(&seat.function.name));
        }
    }

    fn rests(&mut self, number: u64) {
        if let Some(seat) = self.seats.get_mut(&number) {
            seat.idle = true;
        }
    }

    fn gone(&mut self, number: u64, unserved: Option<Assignment>) {
        self.seats.remove(&number);
        if let Some(assignment) = unserved {
            requeue(&self.world, &assignment);
        }
    }
}

/// Waits for this moment, for ever where there is none.
async fn at(world: &World, moment: Option<Timestamp>) {
    match moment {
        Some(moment) => world.clock.sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Tells what was due then.
fn deliver(state: &mut State, due: Timestamp, now: Timestamp) {
    let Some(first) = state.notices.iter().position(|notice| notice.due == due) else { return };
    let notice = state.notices.remove(first);
    state.deliver(notice, now);
}

fn claim(world: &World, invocation: &Invocation, cold: bool) -> Assignment {
    world.update(|state| {
        if let Some(invocation) = state.invocation_mut(&invocation.id, invocation.attempt) {
            invocation.status = InvocationStatus::Running;
            invocation.cold = cold;
        }
    });
    Assignment { id: invocation.id.clone(), attempt: invocation.attempt, payload: invocation.payload.clone() }
}

fn requeue(world: &World, assignment: &Assignment) {
    world.update(|state| {
        if let Some(invocation) = state.invocation_mut(&assignment.id, assignment.attempt) {
            invocation.status = InvocationStatus::Queued;
        }
    });
}

/// Those that ended in a function error and are to be tried again.
fn failed(invocations: &[Invocation], retried: &BTreeSet<(String, u32)>) -> Vec<Invocation> {
    let again = |it: &&Invocation| {
        it.retries_left > 0 && it.status.is_function_error() && !retried.contains(&(it.id.clone(), it.attempt))
    };
    invocations.iter().filter(again).cloned().collect()
}

async fn retry(world: Arc<World>, failed: Invocation) {
    let tries = usize::try_from(failed.attempt).unwrap_or(usize::MAX);
    let wait = RETRY_AFTER.get(tries - 1).unwrap_or(&RETRY_AFTER[1]);
    world.clock.sleep(*wait).await;
    let now = world.now();
    world.update(|state| state.invocations.push(failed.retry(now)));
}

#[cfg(test)]
mod tests;

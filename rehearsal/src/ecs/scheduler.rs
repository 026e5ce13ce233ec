//! The ECS service scheduler: keeps tasks in step with task sets, and targets in step with tasks.
//!
//! No processes here: it decides which tasks there should be; `tasks` starts and stops them.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::world::journal::Who;
use crate::world::load_balancer::{Health, Target};
use crate::world::services::{Colour, StopReason, Task, TaskSet, TaskSetStatus, TaskStatus};
use crate::world::{State, World, ZONES};

/// The longest pause before a task that keeps dying is started again.
const LONGEST_RESTART_PAUSE: SignedDuration = SignedDuration::from_mins(5);
/// How long a target is unhealthy before the scheduler stops its task. AWS does not say.
const NOTICES_AFTER: SignedDuration = SignedDuration::from_secs(30);
/// Why a task is stopped that is not wanted any more, in ECS's words.
const SCALING: &str = "Scaling activity initiated by";
/// How often the scheduler looks when nothing rings: grace periods and restart pauses end without a bell.
const LOOKS_EVERY: Duration = Duration::from_secs(5);

/// Runs until it is dropped.
pub async fn run(world: Arc<World>) {
    let mut changes = world.changes();
    loop {
        changes.mark_unchanged();
        let now = world.now();
        // Looked at first, changed only if there is something to do: every change wakes everybody.
        if world.read(|state| has_work(state, now)) {
            world.update(|state| reconcile(state, now));
        }
        tokio::select! {
            changed = changes.changed() => changed.expect("the world outlives its scheduler"),
            () = world.clock.sleep(LOOKS_EVERY) => {}
        }
    }
}

/// One step the scheduler can take.
enum Step {
    Start { task_set: String, zone: &'static str },
    WantStop { task: String, reason: StopReason },
    Stop { task: String },
    Register { task: String },
    Deregister { task: String },
    Stability { task_set: String, steady: bool },
    Forget { task_set: String },
}

fn has_work(state: &State, now: Timestamp) -> bool {
    !steps(state, now).is_empty()
}

fn reconcile(state: &mut State, now: Timestamp) {
    // A step can make the next one possible; each pass is small.
    loop {
        let steps = steps(state, now);
        if steps.is_empty() {
            return;
        }
        for step in steps {
            take(state, step, now);
        }
    }
}

fn steps(state: &State, now: Timestamp) -> Vec<Step> {
    let mut steps = Vec::new();
    for service in &state.services {
        for set in &service.task_sets {
            steps_of_task_set(state, set, service.health_check_grace_period, now, &mut steps);
        }
    }
    for task in &state.tasks {
        steps_of_task(state, task, &mut steps);
    }
    steps
}

fn steps_of_task_set(state: &State, set: &TaskSet, grace: Duration, now: Timestamp, steps: &mut Vec<Step>) {
    let wanted: Vec<&Task> = state.live_tasks(&set.id).filter(|task| task.stop_wanted.is_none()).collect();
    let desired = set.desired as usize;
    if wanted.len() < desired && restart_is_due(state, set, now) {
        for index in wanted.len()..desired {
            let here = wanted.iter().filter(|task| task.zone == ZONES[0]).count();
            let zone = ZONES[usize::from(here * 2 > wanted.len() || (here * 2 == wanted.len() && index % 2 == 1))];
            let full = state.zone_without_room.filter(|full| set.colour == Colour::Green && *full == zone);
            let zone = full.and_then(|full| ZONES.into_iter().find(|zone| *zone != full)).unwrap_or(zone);
            steps.push(Step::Start { task_set: set.id.clone(), zone });
        }
    }
    for task in wanted.iter().skip(desired) {
        let reason = format!("{SCALING} (deployment {})", set.id);
        steps.push(Step::WantStop { task: task.id.clone(), reason: scheduler(reason) });
    }
    for task in wanted.iter().take(desired) {
        let Some(started_at) = task.started_at else { continue };
        let is_unhealthy = target_of(state, task).is_some_and(|target| {
            matches!(target.health, Health::Unhealthy(_)) && now.duration_since(target.since) >= NOTICES_AFTER
        });
        let grace_is_over = now.duration_since(started_at).unsigned_abs() > grace;
        if is_unhealthy && grace_is_over {
            let reason = format!("Task failed ELB health checks in (target-group {})", set.target_group);
            steps.push(Step::WantStop { task: task.id.clone(), reason: scheduler(reason) });
        }
    }
    let steady = wanted.len() == desired && wanted.iter().all(|task| is_well(state, task));
    if steady != set.steady && set.status != TaskSetStatus::Draining {
        steps.push(Step::Stability { task_set: set.id.clone(), steady });
    }
    if set.status == TaskSetStatus::Draining && state.live_tasks(&set.id).next().is_none() {
        steps.push(Step::Forget { task_set: set.id.clone() });
    }
}

/// `STEADY_STATE` needs every task running and well for its load balancer.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskSet.html>
fn is_well(state: &State, task: &Task) -> bool {
    task.status == TaskStatus::Running
        && target_of(state, task).is_some_and(|target| matches!(target.health, Health::Healthy | Health::Unused))
}

/// A task that keeps dying is started again after 10 s, 20 s, 40 s, …, as ECS throttles such tasks.
fn restart_is_due(state: &State, set: &TaskSet, now: Timestamp) -> bool {
    let died = state.tasks.iter().filter(|task| task.task_set == set.id && task.status == TaskStatus::Stopped);
    let (count, last) = died.fold((0_u32, None), |(count, last), task| (count + 1, last.max(task.stopped_at)));
    let Some(last) = last else { return true };
    let pause = SignedDuration::from_secs(10 << count.saturating_sub(1).min(6)).min(LONGEST_RESTART_PAUSE);
    now.duration_since(last) >= pause
}

fn steps_of_task(state: &State, task: &Task, steps: &mut Vec<Step>) {
    let target = target_of(state, task);
    let is_draining = target.is_some_and(|target| target.health == Health::Draining);
    match task.status {
        TaskStatus::Running if task.stop_wanted.is_none() && target.is_none() && task.one_off.is_none() => {
            steps.push(Step::Register { task: task.id.clone() });
        }
        TaskStatus::Running | TaskStatus::Pending | TaskStatus::Provisioning if task.stop_wanted.is_some() => {
            match target {
                Some(_) if !is_draining => steps.push(Step::Deregister { task: task.id.clone() }),
                Some(_) => {}
                None => steps.push(Step::Stop { task: task.id.clone() }),
            }
        }
        TaskStatus::Stopped if target.is_some() && !is_draining => {
            steps.push(Step::Deregister { task: task.id.clone() });
        }
        _ => {}
    }
}

fn target_of<'a>(state: &'a State, task: &Task) -> Option<&'a Target> {
    let group = state.target_group(&state.task_set(&task.task_set)?.target_group)?;
    group.targets.iter().find(|target| target.task == task.id)
}

pub(super) fn is_scaling(reason: &StopReason) -> bool {
    reason.reason.starts_with(SCALING)
}

fn scheduler(reason: String) -> StopReason {
    StopReason { code: "ServiceSchedulerInitiated", reason }
}

fn take(state: &mut State, step: Step, now: Timestamp) {
    match step {
        Step::Start { task_set, zone } => start(state, &task_set, zone, now),
        Step::WantStop { task, reason } => {
            let name = state.task_name(&task);
            // In full, with ARNs, it is what the API tells.
            let why = if is_scaling(&reason) { "it is scaled in" } else { "it fails its health checks" };
            let text = format!("{name} is to stop: {why}");
            if let Some(found) = state.task_mut(&task) {
                found.stop_wanted = Some(reason);
            }
            state.journal.say(now, Who::Ecs, text);
        }
        Step::Stop { task } => {
            if let Some(task) = state.task_mut(&task) {
                task.status = TaskStatus::Stopping;
            }
        }
        Step::Register { task } => register(state, &task, now),
        Step::Deregister { task } => deregister(state, &task, now),
        Step::Stability { task_set, steady } => {
            let mut text = None;
            for set in state.services.iter_mut().flat_map(|service| &mut service.task_sets) {
                if set.id == task_set {
                    set.steady = steady;
                    set.stability_at = now;
                    text = steady
                        .then(|| format!("{} task set reached a steady state, {} tasks", set.colour, set.desired));
                }
            }
            if let Some(text) = text {
                state.journal.say(now, Who::Ecs, text);
            }
        }
        Step::Forget { task_set } => {
            for service in &mut state.services {
                service.task_sets.retain(|set| set.id != task_set);
            }
        }
    }
}

fn start(state: &mut State, task_set: &str, zone: &'static str, now: Timestamp) {
    let found = state.services.iter().find_map(|service| Some((service, service.task_set(task_set)?)));
    let Some((service, set)) = found else { return };
    let task = Task {
        id: uuid::Uuid::new_v4().simple().to_string(),
        cluster: service.cluster.clone(),
        service: service.name.clone(),
        task_set: set.id.clone(),
        task_definition: set.task_definition.clone(),
        status: TaskStatus::Provisioning,
        stop_wanted: None,
        zone,
        port: None,
        created_at: now,
        started_at: None,
        stopped_at: None,
        stopped: None,
        exit_code: None,
        last_lines: Vec::new(),
        one_off: None,
    };
    state.tasks.push(task);
}

fn register(state: &mut State, task: &str, now: Timestamp) {
    let Some(task) = state.tasks.iter().find(|it| it.id == task).cloned() else { return };
    let Some(group) = state.task_set(&task.task_set).map(|set| set.target_group.clone()) else { return };
    let Some(port) = task.port else { return };
    let health = if state.is_in_use(&group) { Health::Initial { checking: false } } else { Health::Unused };
    let Some(group) = state.target_group_mut(&group) else { return };
    group.targets.push(Target {
        task: task.id,
        address: "127.0.0.1".to_owned(),
        port,
        zone: task.zone,
        health,
        since: now,
        streak: 0,
        in_flight: 0,
    });
}

fn deregister(state: &mut State, task: &str, now: Timestamp) {
    let named = state.target_groups.iter().flat_map(|group| group.targets.iter().map(move |target| (group, target)));
    let lines: Vec<String> = named
        .filter(|(_, target)| target.task == task)
        .map(|(group, target)| {
            format!("target {} in {}: {} → draining", state.target_name(target), group.name, target.health.state())
        })
        .collect();
    for line in lines {
        state.journal.say(now, Who::LoadBalancer, line);
    }
    for group in &mut state.target_groups {
        for target in group.targets.iter_mut().filter(|target| target.task == task) {
            target.health = Health::Draining;
            target.since = now;
        }
    }
}

/// The beginning of an id, for people.
pub fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

//! Tasks of a revision: started, waited for, ended.

use std::collections::BTreeSet;
use std::time::Duration;

use greenlight::lifecycle_stage::LifecycleStage;

use super::ending::Ending;
use super::engine::Course;
use super::scheduler::is_scaling;
use super::{hooks, traffic};
use crate::codedeploy::engine::family_revision;
use crate::world::State;
use crate::world::load_balancer::Health;
use crate::world::services::{Colour, Task, TaskSet, TaskSetStatus};

/// How much real time a wait for tasks that never become healthy may take.
const STAGE_TAKES: Duration = Duration::from_secs(5);
/// The fewest and the most failed tasks that trigger the circuit breaker.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html>
const THRESHOLDS: (u32, u32) = (3, 200);

/// Where more than one revision runs, left over from a deployment that was stopped: all traffic goes to the one that serves,
/// and the others end.
pub(super) async fn reconcile(course: &Course) -> Result<(), Ending> {
    let deployment = course.deployment();
    let [blue, others @ ..] = deployment.sources.as_slice() else { return Ok(()) };
    if others.is_empty() {
        return Ok(());
    }
    course.begin(LifecycleStage::ReconcileService);
    hooks::call(course, LifecycleStage::ReconcileService, 0.0).await?;
    traffic::lead_to(course, blue)?;
    for other in others {
        down(course, other).await;
    }
    course.record(|deployment| deployment.sources.truncate(1));
    course.say("RECONCILE_SERVICE: one revision runs again");
    Ok(())
}

/// Starts green's tasks, and waits until all run and are healthy.
pub(super) async fn up(course: &Course) -> Result<(), Ending> {
    course.begin(LifecycleStage::ScaleUp);
    let (target, now) = (course.target(), course.world.now());
    let deployment = course.deployment();
    let desired = course.world.update(|state| {
        let service = state.service_mut(&deployment.cluster, &deployment.service)?;
        service.task_sets.push(TaskSet {
            id: target.task_set.clone(),
            task_definition: target.task_definition.clone(),
            status: TaskSetStatus::Active,
            desired: service.desired_count,
            target_group: target.target_group.clone(),
            external_id: None,
            created_at: now,
            steady: false,
            stability_at: now,
            colour: Colour::Green,
        });
        Some(service.desired_count)
    });
    let desired = desired.ok_or_else(|| Ending::Ecs("the service is gone".to_owned()))?;
    course.say(format!(
        "SCALE_UP: green is {}, {desired} tasks, target group {}",
        family_revision(&target.task_definition),
        course.name(&target.target_group)
    ));
    let steady = course.world.until(|state| state.task_set(&target.task_set).filter(|set| set.steady).map(drop));
    tokio::select! {
        () = steady => Ok(()),
        ending = breaks(course, &target.task_set, desired) => Err(ending),
        () = course.world.clock.skip(course.switches.stage_timeout, STAGE_TAKES) => {
            Err(Ending::StageTimedOut(LifecycleStage::ScaleUp, course.switches.stage_timeout))
        }
    }
}

/// Waits until so many tasks of green failed in a row that the circuit breaker is triggered.
async fn breaks(course: &Course, task_set: &str, desired: u32) -> Ending {
    if course.deployment().settings.configuration.circuit_breaker.is_none() {
        std::future::pending::<()>().await;
    }
    let threshold = threshold(desired);
    let mut failures = Failures::default();
    loop {
        let next = |state: &State| look(state, task_set).and_then(|(healthy, failed)| failures.next(healthy, failed));
        failures = course.world.until(next).await;
        let failed = u32::try_from(failures.in_a_row.len()).unwrap_or(u32::MAX);
        course.record(|deployment| deployment.failed_tasks = failed);
        if failed >= threshold {
            // More may have failed by now.
            return Ending::CircuitBreaker(threshold);
        }
    }
}

/// Tasks that failed, by their ids.
#[derive(Clone, Default, PartialEq)]
struct Failures {
    in_a_row: BTreeSet<String>,
    /// Those before a task was healthy, which began the count anew.
    forgotten: BTreeSet<String>,
}

impl Failures {
    /// What is known now, where that is news.
    fn next(&self, is_healthy: bool, failed: BTreeSet<String>) -> Option<Self> {
        let next = if is_healthy {
            Self { in_a_row: BTreeSet::new(), forgotten: failed }
        } else {
            let in_a_row = failed.difference(&self.forgotten).cloned().collect();
            Self { in_a_row, forgotten: self.forgotten.clone() }
        };
        (next != *self).then_some(next)
    }
}

/// Whether a task of the set is healthy, and those that failed. A task that is only no longer wanted has not failed.
fn look(state: &State, task_set: &str) -> Option<(bool, BTreeSet<String>)> {
    let set = state.task_set(task_set)?;
    let targets = state.target_group(&set.target_group).map(|group| group.targets.as_slice()).unwrap_or_default();
    let failed = |task: &&Task| {
        let why = task.stop_wanted.as_ref().or(task.stopped.as_ref());
        task.task_set == task_set && why.is_some_and(|why| !is_scaling(why))
    };
    let failed = state.tasks.iter().filter(failed).map(|task| task.id.clone()).collect();
    Some((targets.iter().any(|target| target.health == Health::Healthy), failed))
}

/// Half of the tasks that are wanted, within limits.
pub(crate) fn threshold(desired: u32) -> u32 {
    desired.div_ceil(2).clamp(THRESHOLDS.0, THRESHOLDS.1)
}

/// Ends a revision's tasks, and waits until they are gone.
pub(super) async fn down(course: &Course, revision: &str) {
    let Some(revision) = course.revision(revision) else { return };
    course.world.update(|state| {
        let service = state.service_mut(&revision.cluster, &revision.service);
        for set in service.into_iter().flat_map(|it| &mut it.task_sets).filter(|set| set.id == revision.task_set) {
            set.desired = 0;
            set.status = TaskSetStatus::Draining;
        }
    });
    course.world.until(|state| state.task_set(&revision.task_set).is_none().then_some(())).await;
}

#[cfg(test)]
mod tests {
    use super::{Failures, threshold};

    /// The examples of AWS's guide.
    #[test]
    fn the_circuit_breaker_takes_half_of_the_tasks_within_its_limits() {
        assert_eq!([1, 2, 25, 400, 800].map(threshold), [3, 3, 13, 200, 200]);
    }

    /// A task that was healthy begins the count anew, and becomes ill later.
    #[test]
    fn failures_count_in_a_row() {
        let failed = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        let mut failures = Failures::default();
        let mut counts = Vec::new();
        for (is_healthy, ids) in [
            (false, failed(&["a"])),
            (false, failed(&["a", "b"])),
            (true, failed(&["a", "b"])),
            (false, failed(&["a", "b"])),
            (false, failed(&["a", "b", "c"])),
        ] {
            failures = failures.next(is_healthy, ids).unwrap_or(failures);
            counts.push(failures.in_a_row.len());
        }
        assert_eq!(counts, [1, 2, 0, 0, 1]);
    }
}

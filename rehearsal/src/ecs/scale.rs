//! Tasks of a revision: started, waited for, ended.

use std::time::Duration;

use greenlight::lifecycle_stage::LifecycleStage;

use super::ending::Ending;
use super::engine::Course;
use super::{hooks, traffic};
use crate::codedeploy::engine::family_revision;
use crate::world::State;
use crate::world::load_balancer::Health;
use crate::world::services::{Colour, TaskSet, TaskSetStatus};

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
    let mut seen = 0;
    loop {
        let failed = course.world.until(|state| Some(failed_in_a_row(state, task_set)).filter(|it| *it != seen)).await;
        seen = failed;
        course.record(|deployment| deployment.failed_tasks = failed);
        if failed >= threshold {
            // More may have failed by now.
            return Ending::CircuitBreaker(threshold);
        }
    }
}

/// Half of the tasks that are wanted, within limits.
pub(crate) fn threshold(desired: u32) -> u32 {
    desired.div_ceil(2).clamp(THRESHOLDS.0, THRESHOLDS.1)
}

/// Tasks that stopped or are to stop for a failure, unless one is healthy now: that begins the count anew.
fn failed_in_a_row(state: &State, task_set: &str) -> u32 {
    let Some(set) = state.task_set(task_set) else { return 0 };
    let targets = state.target_group(&set.target_group).map(|group| group.targets.as_slice()).unwrap_or_default();
    if targets.iter().any(|target| target.health == Health::Healthy) {
        return 0;
    }
    let failed =
        state.tasks.iter().filter(|it| it.task_set == task_set && (it.stop_wanted.is_some() || it.stopped.is_some()));
    u32::try_from(failed.count()).unwrap_or(u32::MAX)
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
    use super::threshold;

    /// The examples of AWS's guide.
    #[test]
    fn the_circuit_breaker_takes_half_of_the_tasks_within_its_limits() {
        assert_eq!([1, 2, 25, 400, 800].map(threshold), [3, 3, 13, 200, 200]);
    }
}

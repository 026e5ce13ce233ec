//! Tasks without processes, for tests of an engine.

use std::sync::Arc;

use rehearsal::world::load_balancer::Health;
use rehearsal::world::services::TaskStatus;
use rehearsal::world::{State, World};

/// In place of processes and the load balancer: every task runs and is healthy at once.
pub(crate) async fn run_at_once(world: Arc<World>) {
    let mut changes = world.changes();
    loop {
        changes.mark_unchanged();
        let now = world.now();
        let is_ready = |state: &State| {
            state.tasks.iter().all(|it| !matches!(it.status, TaskStatus::Provisioning | TaskStatus::Stopping))
                && state.target_groups.iter().flat_map(|it| &it.targets).all(|it| it.health == Health::Healthy)
        };
        if !world.read(is_ready) {
            world.update(|state| {
                for (index, task) in state.tasks.iter_mut().enumerate() {
                    match task.status {
                        TaskStatus::Provisioning => {
                            task.status = TaskStatus::Running;
                            task.started_at = Some(now);
                            task.port = Some(40_000 + u16::try_from(index).unwrap());
                        }
                        TaskStatus::Stopping => {
                            task.status = TaskStatus::Stopped;
                            task.stopped_at = Some(now);
                        }
                        _ => {}
                    }
                }
                for group in &mut state.target_groups {
                    group.targets.retain(|target| target.health != Health::Draining);
                    for target in &mut group.targets {
                        target.health = Health::Healthy;
                    }
                }
            });
        }
        changes.changed().await.unwrap();
    }
}

//! A task that runs once: a real process that is given no port, and that nobody restarts.

use std::sync::Arc;

use super::life::{Ended, container, log_of, serve};
use super::{Launch, command};
use crate::process::Process;
use crate::world::World;
use crate::world::journal::Who;
use crate::world::services::{Container, Override, TaskStatus};

/// Runs until its process has ended, by itself or because somebody wants it to. It runs from the moment it is started.
pub(super) async fn run(world: &Arc<World>, launch: &Launch, id: &str) -> Result<Ended, Ended> {
    let process = start(world, launch, id)?;
    Ok(serve(world, id, &process).await)
}

fn start(world: &Arc<World>, launch: &Launch, id: &str) -> Result<Process, Ended> {
    let _working = world.clock.working();
    let container = ordered(world, id, container(world, id)?);
    let command = command::once(&container, launch);
    let process = Process::start(&command, launch.reaper.as_ref(), log_of(world, &container, id)).map_err(|error| {
        let reason = format!("CannotStartContainerError: cannot start `{}`: {error}", command::in_words(&command));
        Ended::failed_to_start(reason, None, Vec::new())
    })?;
    let now = world.now();
    world.update(|state| {
        let name = state.task_name(id);
        if let Some(task) = state.task_mut(id) {
            // A stop that was asked for in this moment stands.
            if task.status == TaskStatus::Provisioning {
                task.status = TaskStatus::Running;
            }
            task.started_at = Some(now);
        }
        state.journal.say(now, Who::Ecs, format!("{name} runs `{}` once", command::in_words(&command)));
    });
    Ok(process)
}

/// The container with what was ordered in place of its own.
fn ordered(world: &World, id: &str, mut container: Container) -> Container {
    let ordered: Option<Override> = world.read(|state| {
        let task = state.tasks.iter().find(|task| task.id == id)?;
        task.one_off.as_ref()?.overrides.iter().find(|it| it.container == container.name).cloned()
    });
    if let Some(Override { command, environment, .. }) = ordered {
        if !command.is_empty() {
            container.command = command;
        }
        container.environment.extend(environment);
    }
    container
}

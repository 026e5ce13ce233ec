//! Tasks as real processes: started where the world wants one, watched until they end, stopped as ECS stops them.
//!
//! Who wants a task puts it into the world as `Provisioning`; who wants it gone sets `stop_wanted`, lets the load
//! balancer drain it and then sets `Stopping`. Everything else about a task is written here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::process::ports::Ports;
use crate::reaper::Reaper;
use crate::world::World;
use crate::world::services::{Task, TaskStatus};

mod command;
mod life;
mod once;

pub(crate) use command::for_shell;

/// How tasks are started.
#[derive(Clone)]
pub struct Launch {
    /// What a container without a command of its own runs.
    pub command: LaunchCommand,
    /// The environment variable that tells a process its port.
    pub port_variable: String,
    /// Environment variables of every task, beside its container's own and those of this process.
    pub environment: BTreeMap<String, String>,
    /// The working folder of every task; this process's own when `None`.
    pub folder: Option<PathBuf>,
    /// Clears up when this process is killed.
    pub reaper: Option<Reaper>,
}

/// A command.
#[derive(Clone, Debug)]
pub enum LaunchCommand {
    /// A line for the shell.
    Shell(String),
    /// A program and its arguments.
    Program(Vec<String>),
}

/// The environment variable that tells a process its port, unless the scenario names another.
pub const PORT_VARIABLE: &str = "PORT";

/// Runs the world's tasks for ever. Dropped, it kills them all.
pub async fn run(world: Arc<World>, launch: Launch) {
    let launch = Arc::new(launch);
    let ports = Arc::new(Ports::default());
    let mut changes = world.changes();
    let mut begun = BTreeSet::new();
    let mut lives = JoinSet::new();
    loop {
        changes.mark_unchanged();
        let wanted: Vec<String> = world.read(|state| {
            // One that is stopped before it was seen here must still come to its end.
            let to_live = |task: &&Task| matches!(task.status, TaskStatus::Provisioning | TaskStatus::Stopping);
            state.tasks.iter().filter(to_live).map(|task| task.id.clone()).filter(|id| !begun.contains(id)).collect()
        });
        for id in wanted {
            begun.insert(id.clone());
            lives.spawn(life::live(Arc::clone(&world), Arc::clone(&launch), Arc::clone(&ports), id));
        }
        tokio::select! {
            changed = changes.changed() => changed.expect("the world outlives its tasks"),
            Some(ended) = lives.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "the life of a task ended in a panic");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;

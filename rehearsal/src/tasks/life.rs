//! The life of one task, from `Provisioning` to `Stopped`.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::{Launch, command, once};
use crate::process::ports::Ports;
use crate::process::{Exit, Process};
use crate::world::journal::Who;
use crate::world::services::{Container, StopReason, Task, TaskStatus};
use crate::world::{State, World};

/// How long a process may take, in real time, until it listens.
const STARTS_WITHIN: Duration = Duration::from_secs(30);

/// ECS's default `stopTimeout`: from SIGTERM to SIGKILL, in world time.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// The real time that `STOP_TIMEOUT` takes.
const STOP_TAKES: Duration = Duration::from_secs(2);

/// How many ports a task is given when each is taken by somebody else.
const PORTS_TRIED: u32 = 3;

/// Lives until the task is `Stopped`.
pub(super) async fn live(world: Arc<World>, launch: Arc<Launch>, ports: Arc<Ports>, id: String) {
    let ended = if world.read(|state| state.tasks.iter().any(|task| task.id == id && task.one_off.is_some())) {
        once::run(&world, &launch, &id).await.unwrap_or_else(|ended| ended)
    } else {
        match begin(&world, &launch, &ports, &id).await {
            Ok(process) => serve(&world, &id, &process).await,
            Err(ended) => ended,
        }
    };
    book_end(&world, &id, ended);
}

/// How it ended.
pub(super) struct Ended {
    why: StopReason,
    exit: Option<Exit>,
    lines: Vec<String>,
}

impl Ended {
    pub(super) fn failed_to_start(reason: impl Into<String>, exit: Option<Exit>, lines: Vec<String>) -> Self {
        Self { why: StopReason { code: "TaskFailedToStart", reason: reason.into() }, exit, lines }
    }

    fn says_address_in_use(&self) -> bool {
        let says = |line: &String| {
            let line = line.to_lowercase();
            line.contains("address already in use") || line.contains("eaddrinuse") || line.contains("address in use")
        };
        self.lines.iter().any(says)
    }
}

/// Starts its process; returns it when it listens.
async fn begin(world: &Arc<World>, launch: &Launch, ports: &Ports, id: &str) -> Result<Process, Ended> {
    let _working = world.clock.working();
    let container = container(world, id)?;
    let mut tried = 0;
    loop {
        tried += 1;
        let Some(port) = ports.take() else {
            let reason = "no loopback port from 20000 to 31999 is free";
            return Err(Ended::failed_to_start(reason, None, Vec::new()));
        };
        match begin_on(world, launch, &container, id, port).await {
            Err(ended) if ended.says_address_in_use() && tried < PORTS_TRIED => {}
            begun => return begun,
        }
    }
}

/// The container whose process it is, with the values of its secrets; not of a task that is to stop already.
pub(super) fn container(world: &World, id: &str) -> Result<Container, Ended> {
    let (container, stop_wanted) = world.read(|state| {
        let task = state.tasks.iter().find(|task| task.id == id);
        (task.and_then(|task| state.container_of(task)).cloned(), task.and_then(reason_to_stop))
    });
    if let Some(why) = stop_wanted {
        return Err(Ended { why, exit: None, lines: Vec::new() });
    }
    let Some(container) = container else {
        return Err(Ended::failed_to_start("its task definition has no container", None, Vec::new()));
    };
    match world.read(|state| values(state, &container)) {
        Ok(values) => Ok(with(container, values)),
        Err(why) => Err(Ended::failed_to_start(why, None, Vec::new())),
    }
}

/// The values of the container's secrets, or ECS's words for one that cannot be had.
fn values(state: &State, container: &Container) -> Result<Vec<(String, String)>, String> {
    let value = |from: &str| {
        let secret = from.split_once(":secret:").map(|(_, name)| name.split(':').next().unwrap_or(name));
        match secret {
            Some(name) => state.stores.secrets.get(name).map(|secret| secret.value.clone()),
            None => state.stores.parameters.get(from).map(|parameter| parameter.value.clone()),
        }
    };
    let values = container.secrets.iter().map(|(name, from)| match value(from) {
        Some(value) => Ok((name.clone(), value)),
        None => Err(format!("ResourceInitializationError: unable to pull secrets or registry auth: {from} not found")),
    });
    values.collect()
}

fn with(mut container: Container, values: Vec<(String, String)>) -> Container {
    container.environment.extend(values);
    container
}

async fn begin_on(
    world: &Arc<World>,
    launch: &Launch,
    container: &Container,
    id: &str,
    port: u16,
) -> Result<Process, Ended> {
    let begun = Instant::now();
    let command = command::of(container, launch, port);
    let process = Process::start(&command, launch.reaper.as_ref(), log_of(world, container, id)).map_err(|error| {
        let reason = format!("CannotStartContainerError: cannot start `{}`: {error}", command::in_words(&command));
        Ended::failed_to_start(reason, None, Vec::new())
    })?;
    if world.read(|state| state.tasks.iter().any(|task| task.id == id && task.status == TaskStatus::Provisioning)) {
        world.update(|state| {
            if let Some(task) = state.task_mut(id) {
                task.status = TaskStatus::Pending;
            }
        });
    }
    tokio::select! {
        () = listens(port) => {}
        exit = process.exited() => {
            let lines = process.last_lines();
            let reason = format!(
                "`{}` ended before it listened on port {port} (${}): {exit}{}",
                command::in_words(&command), launch.port_variable, last_output(&lines)
            );
            return Err(Ended::failed_to_start(reason, Some(exit), lines));
        }
        () = sleep(STARTS_WITHIN) => {
            let exit = process.kill().await;
            let lines = process.last_lines();
            let reason = format!(
                "`{}` did not listen on 127.0.0.1:{port}, the port it was given in ${}, within {} s{}",
                command::in_words(&command), launch.port_variable, STARTS_WITHIN.as_secs(), last_output(&lines)
            );
            return Err(Ended::failed_to_start(reason, Some(exit), lines));
        }
        why = stop_wanted(world, id) => {
            let exit = process.stop(Signal::SIGTERM, STOP_TAKES).await;
            return Err(Ended { why, exit: Some(exit), lines: process.last_lines() });
        }
    }
    let (now, took) = (world.now(), begun.elapsed());
    world.update(|state| {
        let name = state.task_name(id);
        if let Some(task) = state.task_mut(id) {
            // A stop that was asked for in this moment stands.
            if task.status == TaskStatus::Pending {
                task.status = TaskStatus::Running;
            }
            task.started_at = Some(now);
            task.port = Some(port);
        }
        let text = format!("{name} runs: it listens on port {port}, {} ms after its start", took.as_millis());
        state.journal.say(now, Who::Ecs, text);
    });
    Ok(process)
}

/// What it writes goes to the container's log stream.
pub(super) fn log_of(world: &Arc<World>, container: &Container, id: &str) -> impl FnMut(&[String]) + Send + 'static {
    let (world, stream) = (Arc::clone(world), container.log_stream(id));
    if let Some((group, stream)) = &stream {
        world.logs.write(group, stream, world.now(), &[]);
    }
    move |lines| {
        if let Some((group, stream)) = &stream {
            world.logs.write(group, stream, world.now(), lines);
        }
    }
}

/// Watches a running process until it ends or is told to.
pub(super) async fn serve(world: &World, id: &str, process: &Process) -> Ended {
    let why = tokio::select! {
        exit = process.exited() => {
            let why = StopReason {
                code: "EssentialContainerExited",
                reason: "Essential container in task exited".to_owned(),
            };
            return Ended { why, exit: Some(exit), lines: process.last_lines() };
        }
        why = stopping(world, id) => why,
    };
    // The pace at which the application's real time to end is what ECS gives it.
    let _working = world.clock.working_at(STOP_TIMEOUT.as_secs_f64() / STOP_TAKES.as_secs_f64());
    let exit = process.stop(Signal::SIGTERM, STOP_TAKES).await;
    Ended { why, exit: Some(exit), lines: process.last_lines() }
}

async fn listens(port: u16) {
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
        sleep(Duration::from_millis(5)).await;
    }
}

/// Somebody wants it gone before it runs: it has no targets to drain.
async fn stop_wanted(world: &World, id: &str) -> StopReason {
    world.until(|state| state.tasks.iter().find(|task| task.id == id).and_then(reason_to_stop)).await
}

/// It has been drained and is to end now.
async fn stopping(world: &World, id: &str) -> StopReason {
    let drained = |task: &&Task| task.id == id && is_stopping(task);
    world.until(|state| state.tasks.iter().find(drained).and_then(reason_to_stop)).await
}

fn reason_to_stop(task: &Task) -> Option<StopReason> {
    task.stop_wanted.clone().or_else(|| is_stopping(task).then(stopped_by_user))
}

fn is_stopping(task: &Task) -> bool {
    matches!(task.status, TaskStatus::Stopping | TaskStatus::Stopped)
}

fn stopped_by_user() -> StopReason {
    StopReason { code: "UserInitiated", reason: "Task stopped by user".to_owned() }
}

fn book_end(world: &World, id: &str, ended: Ended) {
    let now = world.now();
    world.update(|state| {
        let name = state.task_name(id);
        let how = match (ended.why.code, ended.exit) {
            // Its reason says how already.
            ("TaskFailedToStart", _) => format!("{name} failed to start: {}", ended.why.reason),
            ("EssentialContainerExited", Some(exit)) => {
                format!("{name} stopped, {}: {exit}{}", ended.why.reason, last_output(&ended.lines))
            }
            // Why it was stopped was said when it was decided.
            ("ServiceSchedulerInitiated", Some(exit)) => format!("{name} stopped: {exit}"),
            (_, Some(exit)) => format!("{name} stopped, {}: {exit}", ended.why.reason),
            (_, None) => format!("{name} stopped before it started, {}", ended.why.reason),
        };
        if let Some(task) = state.task_mut(id) {
            task.status = TaskStatus::Stopped;
            task.stopped_at = Some(now);
            task.stopped = Some(ended.why);
            task.exit_code = ended.exit.map(Exit::container_code);
            task.last_lines = ended.lines;
        }
        state.journal.say(now, Who::Ecs, how);
    });
}

fn last_output(lines: &[String]) -> String {
    match lines.iter().rev().find(|line| !line.trim().is_empty()) {
        Some(line) => format!("; its last output: {}", line.trim()),
        None => "; it wrote nothing".to_owned(),
    }
}

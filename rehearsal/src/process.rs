//! A child process in a group of its own: its lines are collected, its end is observed, nothing of it is left behind.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::reaper::{Reaper, Registration};

mod left;
mod output;
pub mod ports;

pub use self::left::left;

/// Lines kept for a message about its end.
const LAST_LINES: usize = 20;

/// How long output may still arrive after a process ended.
const OUTPUT_AFTER_END: Duration = Duration::from_millis(500);

/// What to start.
#[derive(Clone, Debug)]
pub struct Command {
    /// The program: a path, or a name to be found in `PATH`.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Environment variables beside the inherited ones.
    pub environment: BTreeMap<String, String>,
    /// Which of this process's own environment variables it gets.
    pub inherits: Inherits,
    /// Its working folder; this process's own when `None`.
    pub folder: Option<PathBuf>,
    /// User and group id to run as; this process's own when `None`.
    pub user: Option<(u32, u32)>,
    /// The signal that it gets first when it is dropped or reaped.
    pub reaped_with: Signal,
}

/// Which environment variables of this process a child gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inherits {
    /// None.
    Nothing,
    /// All but those that an AWS client reads, so that no child reaches a real account.
    AllButAws,
}

impl Command {
    /// A program and its arguments, without an environment of its own.
    pub fn new(program: impl Into<String>, arguments: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            environment: BTreeMap::new(),
            inherits: Inherits::AllButAws,
            folder: None,
            user: None,
            reaped_with: Signal::SIGKILL,
        }
    }

    fn to_std(&self) -> std::process::Command {
        use std::os::unix::process::CommandExt;
        let mut command = std::process::Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::null()).process_group(0);
        match self.inherits {
            Inherits::Nothing => {
                command.env_clear();
            }
            Inherits::AllButAws => {
                for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
                    command.env_remove(name);
                }
            }
        }
        command.envs(&self.environment);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Exit {
    /// As containers report it: the code, or 128 and the signal's number.
    pub fn container_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }

    fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => unreachable!("a process that was waited for has ended by a code or a signal"),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(out, "exit status {code}"),
            Self::Signal(signal) => match Signal::try_from(*signal) {
                Ok(signal) => write!(out, "signal {signal}"),
                Err(_) => write!(out, "signal {signal}"),
            },
        }
    }
}

/// A running process and everything it started in its group. Killed when dropped.
pub struct Process {
    group: Pid,
    reaped_with: Signal,
    lines: LastLines,
    exit: watch::Receiver<Option<Exit>>,
    stop: watch::Sender<Option<Stop>>,
    drain: mpsc::Sender<oneshot::Sender<()>>,
}

/// The last lines it wrote, oldest first.
type LastLines = Arc<Mutex<VecDeque<String>>>;

#[derive(Clone, Copy)]
struct Stop {
    first: Signal,
    kill_at: Instant,
}

impl Process {
    /// Starts it. Its lines, of both standard output and standard error in the order they were written, go to `on_lines`.
    pub fn start(
        command: &Command,
        reaper: Option<&Reaper>,
        mut on_lines: impl FnMut(&[String]) + Send + 'static,
    ) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let mut to_start = command.to_std();
        to_start.stdout(writer.try_clone()?).stderr(writer);
        let mut to_start = tokio::process::Command::from(to_start);
        let child = to_start.kill_on_drop(true).spawn()?;
        // Our copies of the pipe's writing end: while they live the pipe never ends.
        drop(to_start);
        let id = child.id().expect("it was not waited for yet");
        let registration = reaper.map(|reaper| reaper.group(id, command.reaped_with));
        let group = Pid::from_raw(i32::try_from(id).expect("a process id is positive and fits"));

        let lines = LastLines::default();
        let (drain, drains) = mpsc::channel(1);
        let output = tokio::spawn(output::collect(reader, drains, {
            let lines = Arc::clone(&lines);
            move |new: &[String]| {
                {
                    let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                    lines.extend(new.iter().cloned());
                    let surplus = lines.len().saturating_sub(LAST_LINES);
                    lines.drain(..surplus);
                }
                on_lines(new);
            }
        })?);
        let (stop, stop_wanted) = watch::channel(None);
        let (exited, exit) = watch::channel(None);
        tokio::spawn(supervise(child, group, stop_wanted, output, registration, exited));
        Ok(Self { group, reaped_with: command.reaped_with, lines, exit, stop, drain })
    }

    /// Its process id, which is its group's.
    pub fn id(&self) -> u32 {
        self.group.as_raw().unsigned_abs()
    }

    /// The last lines it wrote, oldest first.
    pub fn last_lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Sends a signal to its whole group.
    pub fn signal(&self, signal: Signal) {
        if self.exit.borrow().is_none() {
            // ESRCH: it ended in this moment.
            let _ = killpg(self.group, signal);
        }
    }

    /// Waits for its end, and for the end of its output.
    pub async fn exited(&self) -> Exit {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(exit) => exit.expect("waited for"),
            // Only a runtime that goes down drops its supervisor before that has told the end.
            Err(_) => Exit::Signal(Signal::SIGKILL as i32),
        }
    }

    /// Ends its group: `first` now, SIGKILL after `grace`.
    pub async fn stop(&self, first: Signal, grace: Duration) -> Exit {
        self.stop.send_replace(Some(Stop { first, kill_at: Instant::now() + grace }));
        self.exited().await
    }

    /// Kills its group.
    pub async fn kill(&self) -> Exit {
        self.stop(Signal::SIGKILL, Duration::ZERO).await
    }

    /// Waits until everything it has written so far was handed to the line callback.
    pub async fn drain(&self) {
        let (done, drained) = oneshot::channel();
        if self.drain.send(done).await.is_ok() {
            // An error: the output has ended and all of it was handed over.
            let _ = drained.await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(self.reaped_with);
    }
}

/// Observes a process until it and its group are gone.
async fn supervise(
    mut child: Child,
    group: Pid,
    mut stop: watch::Receiver<Option<Stop>>,
    mut output: JoinHandle<()>,
    registration: Option<Registration>,
    exited: watch::Sender<Option<Exit>>,
) {
    // Whoever goes down before the end was seen leaves it to the reaper.
    let registration = ManuallyDrop::new(registration);
    let status = tokio::select! {
        status = child.wait() => status,
        stop = wanted(&mut stop) => end(&mut child, group, stop).await,
    };
    // What the process has started does not outlive it.
    let _ = killpg(group, Signal::SIGKILL);
    let _ = timeout(OUTPUT_AFTER_END, &mut output).await;
    output.abort();
    drop(ManuallyDrop::into_inner(registration));
    let exit = status.map_or(Exit::Signal(Signal::SIGKILL as i32), Exit::of);
    exited.send_replace(Some(exit));
}

async fn wanted(stop: &mut watch::Receiver<Option<Stop>>) -> Stop {
    let stop = stop.wait_for(Option::is_some).await.ok().and_then(|stop| *stop);
    match stop {
        Some(stop) => stop,
        // Its owner is gone and has killed it: only the end is still to come.
        None => std::future::pending().await,
    }
}

/// Signals the group and waits for all of it, so that a shell that dies first does not cut its command's end short.
async fn end(child: &mut Child, group: Pid, stop: Stop) -> io::Result<ExitStatus> {
    let _ = killpg(group, stop.first);
    let all_gone = async {
        let status = child.wait().await;
        while killpg(group, None) != Err(Errno::ESRCH) {
            sleep(Duration::from_millis(5)).await;
        }
        status
    };
    match timeout_at(stop.kill_at, all_gone).await {
        Ok(status) => status,
        Err(_) => {
            let _ = killpg(group, Signal::SIGKILL);
            child.wait().await
        }
    }
}

#[cfg(test)]
mod tests;

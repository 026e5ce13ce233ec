//! One execution environment: a process, its Runtime API, and what Lambda does to it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::runtime_api::{self, Ask, Event, LARGEST_RESPONSE, Refusal, Said};
use super::{Settings, aftermath, memory, variables};
use crate::clock::PaceGuard;
use crate::process::{Command, Exit, Inherits, Process};
use crate::world::World;
use crate::world::functions::{Function, InvocationStatus};

mod booking;

pub(super) use booking::refuse;

/// How long a process may take until it asks for its first event.
const INIT_WITHIN: Duration = Duration::from_secs(10);

/// How often its memory is looked at.
const MEMORY_LOOK: Duration = Duration::from_millis(20);

/// How long lines that were written before an answer are waited for.
const LINES_WITHIN: Duration = Duration::from_millis(200);

/// Lines kept of one invocation.
const LOG_LINES: usize = 10_000;

/// One try of a request.
#[derive(Clone)]
pub(super) struct Assignment {
    pub(super) id: String,
    pub(super) attempt: u32,
    pub(super) payload: String,
}

/// An environment that is yet to live.
pub(super) struct Environment {
    world: Arc<World>,
    settings: Arc<Settings>,
    function: Function,
    orders: mpsc::Receiver<Assignment>,
    number: u64,
    idle: mpsc::UnboundedSender<u64>,
}

impl Environment {
    /// Its number is told to `idle` each time it is idle and frozen.
    pub(super) fn new(
        world: Arc<World>,
        settings: Arc<Settings>,
        function: Function,
        orders: mpsc::Receiver<Assignment>,
        number: u64,
        idle: mpsc::UnboundedSender<u64>,
    ) -> Self {
        Self { world, settings, function, orders, number, idle }
    }

    /// Starts its process for `first`, serves it and then others, until the process ends, must be killed, or the orders
    /// end. Returns the assignment that it was given but did not begin.
    pub(super) async fn live(mut self, first: Assignment) -> Option<Assignment> {
        let mut working = self.works();
        let begun = Instant::now();
        let mut sandbox = match self.start(&first).await {
            Ok(sandbox) => sandbox,
            Err(reason) => {
                let status = InvocationStatus::NotInvokable(reason);
                booking::book(&self.world, &self.function, &first, status, begun.elapsed(), None, None);
                return None;
            }
        };
        let mut next = match sandbox.init().await {
            Ok(next) => next,
            Err(status) => {
                sandbox.kill_and_book(&first, status, begun).await;
                return None;
            }
        };
        booking::note_init(&self.world, &first, begun.elapsed());
        let mut assignment = first;
        loop {
            if !sandbox.serve(&assignment, next).await {
                return None;
            }
            drop(working.take());
            next = sandbox.linger(&assignment).await?;
            sandbox.freeze().await;
            // An error: nobody gives orders any more, as the next line sees.
            let _ = self.idle.send(self.number);
            assignment = tokio::select! {
                order = self.orders.recv() => order?,
                _ = sandbox.process.exited() => {
                    self.orders.close();
                    return self.orders.try_recv().ok();
                }
            };
            working = self.works();
            sandbox.thaw(&assignment);
        }
    }

    /// Holds the world's clock while a hook works. What users invoke is always at work, and holds it no more than a task does.
    fn works(&self) -> Option<PaceGuard> {
        self.function.colour.is_none().then(|| self.world.clock.working_at(self.function.pace))
    }

    async fn start(&self, first: &Assignment) -> Result<Sandbox, String> {
        let (program, arguments) =
            self.function.command.split_first().ok_or_else(|| "its command is empty".to_owned())?;
        let path = find(program).ok_or_else(|| format!("its program {program} does not exist"))?;
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| no_runtime_api(&error))?;
        let address = listener.local_addr().map_err(|error| no_runtime_api(&error))?;
        let (asks_of, asks) = mpsc::channel(16);
        let mut api = JoinSet::new();
        api.spawn(runtime_api::serve(listener, asks_of));

        let mut command = Command::new(path.display().to_string(), arguments);
        command.inherits = Inherits::Nothing;
        let stream = log_stream(&self.function);
        command.environment = variables::of(&self.function, &self.settings, &path, address, &stream);
        let current = Arc::new(Mutex::new(first.clone()));
        let write = {
            let (world, current) = (Arc::clone(&self.world), Arc::clone(&current));
            // What users invoke writes many times a second, and nobody reads it.
            let log = self.function.colour.is_none().then(|| (self.function.log_group(), stream.clone()));
            move |lines: &[String]| {
                if let Some((group, stream)) = &log {
                    world.logs.write(group, stream, world.now(), lines);
                }
                let current = current.lock().unwrap_or_else(PoisonError::into_inner);
                world.update(|state| {
                    if let Some(invocation) = state.invocation_mut(&current.id, current.attempt) {
                        let room = LOG_LINES.saturating_sub(invocation.log.len());
                        invocation.log.extend(lines.iter().take(room).cloned());
                    }
                });
            }
        };
        let process = Process::start(&command, self.settings.reaper.as_ref(), write)
            .map_err(|error| format!("its program {} cannot be started: {error}", path.display()))?;
        let (world, function) = (Arc::clone(&self.world), self.function.clone());
        Ok(Sandbox { world, function, process, asks, current, stream, peak: None, _api: api })
    }
}

/// A started process.
struct Sandbox {
    world: Arc<World>,
    function: Function,
    process: Process,
    asks: mpsc::Receiver<Ask>,
    /// Whose log its lines go to.
    current: Arc<Mutex<Assignment>>,
    /// Its log stream.
    stream: String,
    /// The most memory it has used, in bytes.
    peak: Option<u64>,
    _api: JoinSet<()>,
}

/// What comes from the process, or has to be done to it.
enum Heard {
    Next(oneshot::Sender<Event>),
    Said(Said, oneshot::Sender<Result<(), Refusal>>),
    Exited(Exit),
    TooLate,
    TooMuchMemory,
}

impl Sandbox {
    /// Waits until it asks for its first event.
    async fn init(&mut self) -> Result<oneshot::Sender<Event>, InvocationStatus> {
        let until = Instant::now() + INIT_WITHIN;
        loop {
            match self.hear(until).await {
                Heard::Next(next) => return Ok(next),
                Heard::Said(Said::InitError(error), verdict) => {
                    accept(verdict, Ok(()));
                    return Err(InvocationStatus::Errored(error));
                }
                Heard::Said(_, verdict) => accept(verdict, Err(Refusal::UnknownRequest)),
                Heard::Exited(exit) => return Err(InvocationStatus::Crashed(exit.to_string())),
                Heard::TooMuchMemory => return Err(InvocationStatus::OutOfMemory),
                Heard::TooLate => {
                    let message = format!("it did not ask for its first event within {} s", INIT_WITHIN.as_secs());
                    return Err(InvocationStatus::Errored(error_json("Sandbox.Timedout", &message)));
                }
            }
        }
    }

    /// Hands the event out and waits for its end. `false`: the process is gone.
    async fn serve(&mut self, assignment: &Assignment, next: oneshot::Sender<Event>) -> bool {
        let begun = Instant::now();
        let deadline = begun + self.function.timeout;
        let killed = self.function.killed_after.map(|after| begun + after).filter(|killed| *killed < deadline);
        let timeout_ms = i64::try_from(self.function.timeout.as_millis()).unwrap_or(i64::MAX);
        let timeout_ms = self.function.told_left_ms.unwrap_or(timeout_ms);
        let event = || Event {
            request_id: assignment.id.clone(),
            deadline_ms: jiff::Timestamp::now().as_millisecond().saturating_add(timeout_ms),
            function_arn: self.function.qualified_arn(),
            payload: assignment.payload.clone(),
        };
        let event = event();
        booking::note_process(&self.world, assignment, self.process.id());
        if self.function.colour.is_none() {
            aftermath::begins(&self.world, &self.function, assignment, &self.stream);
        }
        // Not taken: its connection was lost meanwhile, and it asks again.
        let mut left = next.send(event).err();
        let status = loop {
            match self.hear(killed.unwrap_or(deadline)).await {
                Heard::Next(next) => {
                    if let Some(event) = left.take() {
                        left = next.send(event).err();
                    }
                }
                Heard::Said(Said::Response(id, response), verdict) if id == assignment.id => {
                    if self.uses_too_much() {
                        break InvocationStatus::OutOfMemory;
                    }
                    let (status, accepted) = match response {
                        Some(response) => (InvocationStatus::Returned(response), Ok(())),
                        None => (too_large(), Err(Refusal::TooLarge)),
                    };
                    self.book(assignment, status, begun).await;
                    accept(verdict, accepted);
                    return true;
                }
                Heard::Said(Said::Error(id, error), verdict) if id == assignment.id => {
                    self.book(assignment, InvocationStatus::Errored(error), begun).await;
                    accept(verdict, Ok(()));
                    return true;
                }
                Heard::Said(Said::InitError(_), verdict) => accept(verdict, Err(Refusal::NotNow)),
                Heard::Said(_, verdict) => accept(verdict, Err(Refusal::UnknownRequest)),
                Heard::Exited(exit) => break InvocationStatus::Crashed(exit.to_string()),
                Heard::TooLate if killed.is_some() => break InvocationStatus::Crashed("signal SIGKILL".to_owned()),
                Heard::TooLate => break InvocationStatus::TimedOut,
                Heard::TooMuchMemory => break InvocationStatus::OutOfMemory,
            }
        };
        self.kill_and_book(assignment, status, begun).await;
        false
    }

    /// After its answer it may go on until it asks for more, but not past its timeout. `None`: the process is gone.
    async fn linger(&mut self, assignment: &Assignment) -> Option<oneshot::Sender<Event>> {
        let until = Instant::now() + self.function.timeout;
        loop {
            match self.hear(until).await {
                Heard::Next(next) => return Some(next),
                Heard::Said(said, verdict) => {
                    let again = matches!(&said, Said::Response(id, _) | Said::Error(id, _) if *id == assignment.id);
                    let known = again || matches!(said, Said::InitError(_));
                    accept(verdict, Err(if known { Refusal::NotNow } else { Refusal::UnknownRequest }));
                }
                Heard::Exited(exit) => {
                    booking::say_lost(&self.world, &self.function, &format!("ended after its answer: {exit}"));
                    return None;
                }
                Heard::TooLate | Heard::TooMuchMemory => {
                    self.process.kill().await;
                    let text = "was killed: it went on after its answer, past its timeout or its memory";
                    booking::say_lost(&self.world, &self.function, text);
                    return None;
                }
            }
        }
    }

    /// Stops everything in it, wherever it is.
    async fn freeze(&self) {
        self.process.signal(Signal::SIGSTOP);
        self.lines_so_far().await;
    }

    fn thaw(&self, assignment: &Assignment) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = assignment.clone();
        self.process.signal(Signal::SIGCONT);
    }

    async fn hear(&mut self, until: Instant) -> Heard {
        loop {
            tokio::select! {
                biased;
                Some(ask) = self.asks.recv() => match ask {
                    Ask::Next(next) if next.is_closed() => {}
                    Ask::Next(next) => return Heard::Next(next),
                    Ask::Say(said, verdict) => return Heard::Said(said, verdict),
                },
                exit = self.process.exited() => return Heard::Exited(exit),
                () = tokio::time::sleep_until(until) => return Heard::TooLate,
                () = tokio::time::sleep(MEMORY_LOOK) => {
                    if self.uses_too_much() {
                        return Heard::TooMuchMemory;
                    }
                }
            }
        }
    }

    fn uses_too_much(&mut self) -> bool {
        if let Some(memory) = memory::of(self.process.id()) {
            self.peak = self.peak.max(Some(memory));
        }
        let limit = u64::from(self.function.memory_mib) * 1024 * 1024;
        self.peak.is_some_and(|peak| peak > limit)
    }

    async fn lines_so_far(&self) {
        // Somebody who writes without end is cut off here; his lines go on to the same log.
        let _ = timeout(LINES_WITHIN, self.process.drain()).await;
    }

    async fn book(&mut self, assignment: &Assignment, status: InvocationStatus, begun: Instant) {
        let took = begun.elapsed();
        self.uses_too_much();
        self.lines_so_far().await;
        self.put_down(assignment, status, took);
    }

    async fn kill_and_book(&mut self, assignment: &Assignment, status: InvocationStatus, begun: Instant) {
        let took = begun.elapsed();
        self.process.kill().await;
        self.put_down(assignment, status, took);
    }

    fn put_down(&self, assignment: &Assignment, status: InvocationStatus, took: Duration) {
        booking::book(&self.world, &self.function, assignment, status, took, self.peak, Some(&self.stream));
    }
}

/// As Lambda names them: day, version, and a number of the environment.
fn log_stream(function: &Function) -> String {
    let day = jiff::Timestamp::now().strftime("%Y/%m/%d");
    format!("{day}/[{}]{}", function.version, uuid::Uuid::new_v4().simple())
}

fn accept(verdict: oneshot::Sender<Result<(), Refusal>>, accepted: Result<(), Refusal>) {
    // An error: the process did not wait for it.
    let _ = verdict.send(accepted);
}

fn too_large() -> InvocationStatus {
    let message = format!("Response payload size exceeded maximum allowed payload size ({LARGEST_RESPONSE} bytes).");
    InvocationStatus::Errored(error_json("Function.ResponseSizeTooLarge", &message))
}

fn error_json(kind: &str, message: &str) -> String {
    serde_json::json!({ "errorType": kind, "errorMessage": message }).to_string()
}

fn no_runtime_api(error: &std::io::Error) -> String {
    format!("no loopback port for its Runtime API: {error}")
}

/// The program as an absolute path: a path is taken as one, a name is looked up in this process's `PATH`.
fn find(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return std::path::absolute(program).ok().filter(|path| path.is_file());
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

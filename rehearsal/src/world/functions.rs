//! Lambda functions and their invocations.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::log_filter::LogFilter;
use super::services::Colour;
use super::{ACCOUNT, REGION, State};
use crate::iam::Role;

mod aliases;

pub use aliases::{Alias, QualifierError};

/// The version that has not been published.
pub const LATEST: &str = "$LATEST";

/// What every function's access key is signed with.
pub const SECRET_ACCESS_KEY: &str = "rehearsal";

/// A version of a function. Hooks have one, `$LATEST`.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Name.
    pub name: String,
    /// `$LATEST`, or the number of a published version.
    pub version: String,
    /// Which side it is of the function that is deployed; `None` for hooks.
    pub colour: Option<Colour>,
    /// The command that is its `bootstrap`: a program and its arguments.
    pub command: Vec<String>,
    /// Environment variables beside those that Lambda sets.
    pub environment: BTreeMap<String, String>,
    /// How long one invocation may take, in real time.
    pub timeout: Duration,
    /// Memory limit in MiB.
    pub memory_mib: u32,
    /// World seconds per real second while it runs: 1, or more when waits inside it were shortened.
    pub pace: f64,
    /// Access key of its role: tells the endpoints who calls.
    pub access_key: String,
    /// What it may do; `None` for a function that may do anything.
    pub role: Option<Arc<Role>>,
    /// How often an `Event` invocation that ended in a function error is tried again.
    pub max_retries: u32,
    /// Kills its process so long after it got an event, in real time.
    pub killed_after: Option<Duration>,
    /// What it is told of the time that it has, in milliseconds, where that is not its timeout.
    pub told_left_ms: Option<i64>,
    /// Who gets the event of an `Event` invocation that ended in a function error after all.
    pub on_failure: Option<OnFailure>,
    /// Who gets which lines of its log.
    pub subscription: Option<Subscription>,
}

/// An on-failure destination: a queue, and the function that is fed from it.
#[derive(Clone, Debug, PartialEq)]
pub struct OnFailure {
    /// Name of the function.
    pub function: String,
    /// How often a message is handed out before it is put aside.
    pub deliveries: u32,
    /// How long a message is hidden once it was handed out.
    pub hidden_for: Duration,
}

/// A subscription of a function's log group.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscription {
    /// Name of the function that gets the lines.
    pub function: String,
    /// Which lines.
    pub filter: LogFilter,
    /// How soon, in world time.
    pub after: Duration,
}

/// A message of a queue that a function is fed from.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// Its text.
    pub body: String,
    /// How often it is handed out again where the function does not settle it.
    pub deliveries_left: u32,
    /// How long it is hidden until then.
    pub hidden_for: Duration,
}

/// What AWS is about to tell a function.
#[derive(Clone, Debug)]
pub struct Notice {
    /// When.
    pub due: Timestamp,
    /// Name of the function.
    pub function: String,
    /// The event.
    pub payload: String,
    /// The message of a queue that it is; `None` for one that comes from a log.
    pub message: Option<Message>,
}

impl Notice {
    /// Due so long after this moment.
    pub fn new(now: Timestamp, after: Duration, function: &str, payload: String, message: Option<Message>) -> Self {
        Self { due: now + after, function: function.to_owned(), payload, message }
    }
}

/// One invocation. A retry is another one with the same id.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Request id.
    pub id: String,
    /// Which try of the request it is, from 1.
    pub attempt: u32,
    /// How often the request is tried again when this try ends in a function error.
    pub retries_left: u32,
    /// Function name.
    pub function: String,
    /// The version that runs.
    pub version: String,
    /// The qualifier it was invoked with: a version, or an alias that led to the version; empty for none.
    pub qualifier: String,
    /// The event, as JSON text.
    pub payload: String,
    /// Whether it was invoked with `Event`: whoever asked for it does not wait.
    pub by_event: bool,
    /// The message of a queue that it was invoked with.
    pub message: Option<Message>,
    /// Where it is.
    pub status: InvocationStatus,
    /// Asked for when.
    pub queued_at: Timestamp,
    /// Ended when.
    pub ended_at: Option<Timestamp>,
    /// What the function wrote while it ran, oldest first.
    pub log: Vec<String>,
    /// The id of the process that served it.
    pub process: Option<u32>,
    /// Whether the process was started for it.
    pub cold: bool,
    /// How long the process took, in real time, until it asked for its first event.
    pub init: Option<Duration>,
    /// How long it ran, in real time.
    pub took: Option<Duration>,
    /// Most memory its process used so far, in bytes.
    pub peak_memory: Option<u64>,
}

/// Where an invocation is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvocationStatus {
    /// Waits for its function's process.
    Queued,
    /// Runs.
    Running,
    /// Returned this.
    Returned(String),
    /// Returned an error: type and message, as JSON text.
    Errored(String),
    /// Its process was killed at the function's timeout.
    TimedOut,
    /// Its process used more than its memory and was killed.
    OutOfMemory,
    /// Its process ended before it answered: how.
    Crashed(String),
    /// There is no such function, or it could not be started: why.
    NotInvokable(String),
}

impl InvocationStatus {
    /// Whether nothing more will come of it.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    /// Whether it ended in what Lambda calls a function error: those are retried for `Event` invocations.
    pub fn is_function_error(&self) -> bool {
        matches!(self, Self::Errored(_) | Self::TimedOut | Self::OutOfMemory | Self::Crashed(_))
    }
}

impl Invocation {
    /// An invocation that waits for its function.
    pub fn new(function: impl Into<String>, payload: impl Into<String>, queued_at: Timestamp) -> Self {
        Self {
            id: uuid::Uuid::new_v4().to_string(),
            attempt: 1,
            retries_left: 0,
            function: function.into(),
            version: LATEST.to_owned(),
            qualifier: String::new(),
            payload: payload.into(),
            by_event: false,
            message: None,
            status: InvocationStatus::Queued,
            queued_at,
            ended_at: None,
            log: Vec::new(),
            process: None,
            cold: false,
            init: None,
            took: None,
            peak_memory: None,
        }
    }

    /// Its next try.
    pub fn retry(&self, queued_at: Timestamp) -> Self {
        Self {
            id: self.id.clone(),
            attempt: self.attempt + 1,
            retries_left: self.retries_left.saturating_sub(1),
            version: self.version.clone(),
            qualifier: self.qualifier.clone(),
            by_event: self.by_event,
            message: self.message.clone(),
            ..Self::new(&self.function, &self.payload, queued_at)
        }
    }
}

/// The ways on which a function is sent instead of those of everybody.
#[derive(Clone, Debug, Default)]
pub struct Detour {
    /// Ports of listeners, by the real ones.
    pub ports: BTreeMap<u16, u16>,
    /// Texts of secrets, by their names.
    pub secrets: BTreeMap<String, String>,
}

impl State {
    /// The function with this name or ARN, whatever its qualifier.
    pub fn function(&self, name: &str) -> Option<&Function> {
        let name = match name.split_once(":function:") {
            Some((_, rest)) => rest.split(':').next().unwrap_or(rest),
            None => name,
        };
        self.functions.iter().find(|function| function.name == name)
    }

    /// This version of the function with this name.
    pub fn version(&self, name: &str, version: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.name == name && function.version == version)
    }

    /// Queues an `Event` invocation, with the retries of its function, and returns its request id.
    pub fn invoke(&mut self, function: &str, payload: impl Into<String>, now: Timestamp) -> String {
        let (name, retries) =
            self.function(function).map_or((function.to_owned(), 0), |it| (it.name.clone(), it.max_retries));
        let invocation = Invocation { retries_left: retries, by_event: true, ..Invocation::new(name, payload, now) };
        let id = invocation.id.clone();
        self.invocations.push(invocation);
        id
    }

    /// Queues a `RequestResponse` invocation, which nobody tries again, and returns its request id.
    pub fn call(&mut self, function: &str, payload: impl Into<String>, now: Timestamp) -> String {
        let name = self.function(function).map_or(function.to_owned(), |it| it.name.clone());
        let invocation = Invocation::new(name, payload, now);
        let id = invocation.id.clone();
        self.invocations.push(invocation);
        id
    }

    /// Invokes a function with what AWS has to tell it. Lambda itself takes messages from queues: who settles none gets it again,
    /// and not by a retry.
    pub fn deliver(&mut self, notice: Notice, now: Timestamp) {
        let id = self.invoke(&notice.function, notice.payload, now);
        if let Some(invocation) = self.invocation_mut(&id, 1)
            && notice.message.is_some()
        {
            invocation.message = notice.message;
            invocation.by_event = false;
            invocation.retries_left = 0;
        }
    }

    /// Whether nothing works or is about to that may answer CodeDeploy.
    pub fn hooks_are_quiet(&self) -> bool {
        self.hooks_have_ended() && self.notices.is_empty() && !self.hooks().any(|it| self.is_due_again(it))
    }

    /// Whether Lambda is about to try an invocation of this function again.
    pub fn is_tried_again(&self, function: &str) -> bool {
        self.invocations.iter().any(|it| it.function == function && self.is_due_again(it))
    }

    fn is_due_again(&self, it: &Invocation) -> bool {
        let is_latest = self.invocation(&it.id).is_some_and(|latest| latest.attempt == it.attempt);
        it.retries_left > 0 && it.status.is_function_error() && is_latest
    }

    /// Whether no hook works, whatever may be about to.
    pub fn hooks_have_ended(&self) -> bool {
        self.hooks().all(|it| it.status.is_final())
    }

    fn hooks(&self) -> impl Iterator<Item = &Invocation> {
        let is_hook = |it: &&Invocation| self.function(&it.function).is_none_or(|function| function.colour.is_none());
        self.invocations.iter().filter(is_hook)
    }

    /// The latest try of the request with this id.
    pub fn invocation(&self, id: &str) -> Option<&Invocation> {
        self.invocations.iter().rev().find(|invocation| invocation.id == id)
    }

    /// This try of the request with this id, to change it.
    pub fn invocation_mut(&mut self, id: &str, attempt: u32) -> Option<&mut Invocation> {
        self.invocations.iter_mut().find(|invocation| invocation.id == id && invocation.attempt == attempt)
    }
}

impl Function {
    /// ARN.
    pub fn arn(&self) -> String {
        format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", self.name)
    }

    /// ARN with the version, where it is a published one.
    pub fn qualified_arn(&self) -> String {
        if self.version == LATEST { self.arn() } else { format!("{}:{}", self.arn(), self.version) }
    }

    /// Where its lines go.
    pub fn log_group(&self) -> String {
        format!("/aws/lambda/{}", self.name)
    }

    /// `orders`, or `orders:2` where it is a published version.
    pub fn label(&self) -> String {
        if self.version == LATEST { self.name.clone() } else { format!("{}:{}", self.name, self.version) }
    }
}

//! Lambda functions and their invocations.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::{ACCOUNT, REGION};

/// A function.
#[derive(Clone, Debug, Default)]
pub struct Function {
    /// Name.
    pub name: String,
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
}

/// One invocation.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Request id.
    pub id: String,
    /// Function name.
    pub function: String,
    /// The event, as JSON text.
    pub payload: String,
    /// Where it is.
    pub status: InvocationStatus,
    /// Asked for when.
    pub queued_at: Timestamp,
    /// Ended when.
    pub ended_at: Option<Timestamp>,
    /// What the function wrote while it ran, oldest first.
    pub log: Vec<String>,
    /// Whether the process was started for it.
    pub cold: bool,
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
}

impl Function {
    /// ARN.
    pub fn arn(&self) -> String {
        format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", self.name)
    }
}

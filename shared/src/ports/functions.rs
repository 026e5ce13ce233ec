//! Lambda functions and their aliases.

use std::time::Duration;

use async_trait::async_trait;

use crate::check::CannotTell;
use crate::deployment::Alias;

/// What Lambda knows of functions, and what they answer.
#[async_trait]
pub trait Functions: Send + Sync {
    /// Where this alias leads now.
    async fn alias(&self, function: &str, alias: &str) -> Result<Alias, CannotTell>;

    /// Invokes one version, past every alias, and waits for what it returns. It is sent once: who sends it again must know
    /// that the function may have run. `None` when there was no answer in time; the function may still run.
    async fn invoke(&self, call: FunctionCall) -> Result<Option<Invoked>, CannotTell>;

    /// Leaves an event, as JSON text, for this function: Lambda invokes it soon, and nobody waits for what it returns.
    async fn send(&self, function: &str, event: String) -> Result<(), CannotTell>;
}

/// One invocation.
#[derive(Clone, Debug)]
pub struct FunctionCall {
    /// The function's name.
    pub function: String,
    /// The version to invoke.
    pub version: String,
    /// The event, as JSON text.
    pub event: String,
    /// How long to wait for what it returns.
    pub timeout: Duration,
}

/// What came of an invocation.
#[derive(Clone, Debug)]
pub struct Invoked {
    /// The version that ran, as Lambda says.
    pub version: Option<String>,
    /// `Handled` or `Unhandled` when the function itself failed; the payload then is its error.
    pub error: Option<String>,
    /// What it returned, as JSON text.
    pub payload: Vec<u8>,
    /// The last lines of its log.
    pub log: String,
    /// From the call to the answer.
    pub took: Duration,
}

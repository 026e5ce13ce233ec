//! The log of every call: who asked for what, and what came back. It shows what each function must be allowed.

use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;

use crate::iam::Permission;

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// When it arrived, by the world's clock.
    pub at: Timestamp,
    /// The function that called; `None` for a person's client.
    pub caller: Option<String>,
    /// The service as IAM names it: `codedeploy`, `elasticloadbalancing`, `cloudwatch`, …
    pub service: String,
    /// `DescribeServices`, …
    pub operation: String,
    /// What its role must allow.
    pub needed: Vec<Permission>,
    /// HTTP status; `None` when no answer was given, or none yet.
    pub status: Option<u16>,
    /// Code of the error that was answered.
    pub error: Option<String>,
    /// From the whole request to the answer, in real time; `None` while there is none.
    pub took: Option<Duration>,
}

/// The log.
#[derive(Default)]
pub(crate) struct Calls {
    calls: Mutex<Vec<Call>>,
}

impl Calls {
    /// Writes a call down when it arrives, and returns its place.
    pub(crate) fn begin(&self, call: Call) -> usize {
        let mut calls = self.lock();
        calls.push(call);
        calls.len() - 1
    }

    /// Completes a call.
    pub(crate) fn end(&self, place: usize, status: Option<u16>, error: Option<String>, took: Duration) {
        let mut calls = self.lock();
        let call = &mut calls[place];
        call.status = status;
        call.error = error;
        call.took = Some(took);
    }

    /// How many there were so far.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// The operations that this function called, of all calls from this place on: `codedeploy:GetDeployment`.
    pub(crate) fn of(&self, caller: &str, from: usize) -> Vec<String> {
        let calls = self.lock();
        let own = calls.iter().skip(from).filter(|call| call.caller.as_deref() == Some(caller));
        own.map(|call| format!("{}:{}", call.service, call.operation)).collect()
    }

    /// All of them, oldest first.
    pub(crate) fn all(&self) -> Vec<Call> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Call>> {
        self.calls.lock().expect("nothing panics while it holds the log of calls")
    }
}

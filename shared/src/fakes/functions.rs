//! Lambda in memory: where the sample alias leads, and what its versions return.

use std::time::Duration;

use async_trait::async_trait;

use super::Fakes;
use crate::check::CannotTell;
use crate::deployment::Alias;
use crate::ports::{FunctionCall, Functions, Invoked};

/// This JSON text was returned after 12 ms.
pub fn returned(payload: &str) -> Invoked {
    Invoked {
        version: Some("42".to_owned()),
        error: None,
        payload: payload.as_bytes().to_vec(),
        log: "START RequestId: 1 Version: 42\nEND RequestId: 1\nREPORT RequestId: 1 Duration: 12 ms\n".to_owned(),
        took: Duration::from_millis(12),
    }
}

/// The function failed with an error of this type and message, and had written `log`.
pub fn failed(kind: &str, message: &str, log: &str) -> Invoked {
    let payload = serde_json::json!({ "errorType": kind, "errorMessage": message }).to_string();
    Invoked { error: Some("Unhandled".to_owned()), log: log.to_owned(), ..returned(&payload) }
}

#[async_trait]
impl Functions for Fakes {
    async fn alias(&self, function: &str, alias: &str) -> Result<Alias, CannotTell> {
        let asked = format!("alias {function}:{alias}");
        let state = self.reach(&asked)?;
        state.alias.clone().ok_or_else(|| CannotTell {
            asked,
            remedy: "Create it.".to_owned(),
            transient: false,
            source: Some("there is no such alias".into()),
        })
    }

    async fn invoke(&self, call: FunctionCall) -> Result<Option<Invoked>, CannotTell> {
        let asked = format!("invocation of {}:{}", call.function, call.version);
        let mut state = self.reach(&asked)?;
        state.calls.push(call);
        let next = match state.returns.len() {
            0 | 1 => state.returns.front().cloned(),
            _ => state.returns.pop_front(),
        };
        next.unwrap_or(Err(false)).map_err(|transient| CannotTell {
            asked,
            remedy: "Allow lambda:InvokeFunction in the function's role.".to_owned(),
            transient,
            source: Some(if transient { "TooManyRequestsException" } else { "AccessDeniedException" }.into()),
        })
    }

    async fn send(&self, function: &str, event: String) -> Result<(), CannotTell> {
        let mut state = self.reach(&format!("invocation of {function}"))?;
        state.sent.push((function.to_owned(), event));
        Ok(())
    }
}

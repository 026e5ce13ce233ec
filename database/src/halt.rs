//! How an attempt ends that did not succeed.

use std::time::Duration;

use greenlight::check::{Answer, CannotTell};

/// Why an attempt ended before it was done.
#[derive(Debug)]
pub enum Halt {
    /// It cannot succeed.
    No {
        /// What was seen.
        evidence: String,
        /// What to change.
        remedy: String,
    },
    /// Another attempt may go on.
    NotYet {
        /// What was seen.
        evidence: String,
        /// When to try again.
        again_in: Duration,
        /// What to do if it stays so.
        remedy: String,
    },
    /// Nobody knows.
    CannotTell(CannotTell),
}

impl Halt {
    /// It cannot succeed.
    pub fn no(evidence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::No { evidence: evidence.into(), remedy: remedy.into() }
    }

    /// Another attempt may go on after this long.
    pub fn not_yet(evidence: impl Into<String>, again_in: Duration, remedy: impl Into<String>) -> Self {
        Self::NotYet { evidence: evidence.into(), again_in, remedy: remedy.into() }
    }

    /// The same end with more said about it.
    pub fn with(self, more: &str) -> Self {
        match self {
            Self::No { evidence, remedy } => Self::No { evidence: format!("{evidence}; {more}"), remedy },
            Self::NotYet { evidence, again_in, remedy } => {
                Self::NotYet { evidence: format!("{evidence}; {more}"), again_in, remedy }
            }
            Self::CannotTell(unknown) => {
                Self::CannotTell(CannotTell { asked: format!("{}; {more}", unknown.asked), ..unknown })
            }
        }
    }

    /// As a check's answer.
    pub fn into_answer(self) -> Result<Answer, CannotTell> {
        match self {
            Self::No { evidence, remedy } => Ok(Answer::no(evidence, remedy)),
            Self::NotYet { evidence, again_in, remedy } => Ok(Answer::not_yet(evidence, again_in, remedy)),
            Self::CannotTell(unknown) => Err(unknown),
        }
    }
}

impl From<CannotTell> for Halt {
    fn from(unknown: CannotTell) -> Self {
        Self::CannotTell(unknown)
    }
}

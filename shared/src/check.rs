//! What a check is: one question, asked about one deployment, answered with evidence.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::time::Instant;

use crate::deadline::Deadline;
use crate::deployment::{AnyDeployment, Deployment};
use crate::ports::Ports;
use crate::stage::Stage;

/// One question that must be answered yes before the deployment may go on.
///
/// Named for what must be true, subject first (`GreenAnswers`); its id is the kebab case of the type, the name of its
/// file, and of its page in `docs/checks/`.
///
/// `D` is what it is asked about: a service's [`Deployment`], or a function's. A check that makes sense of both is written
/// for any.
#[async_trait]
pub trait Check<D: AnyDeployment = Deployment>: Send + Sync {
    /// The check's id, for example `green-answers`.
    fn id(&self) -> &'static str;

    /// The question in words: the row's title, and the first line of the check's page.
    fn question(&self) -> String;

    /// Asks it once. Waiting, asking again and the deadline are the caller's: return [`Answer::NotYet`] instead of
    /// sleeping. An error means that nobody knows, never that the answer is no.
    async fn ask(&self, context: &CheckContext<D>) -> Result<Answer, CannotTell>;

    /// Whether its yes holds in the invocation that got it only, so that another one asks again.
    fn is_asked_anew(&self) -> bool {
        false
    }

    /// What another invocation must know to go on where this one ends; null where every look begins anew. No secret.
    /// `None` where no other invocation may go on: what counts its looks without handing on the count would never end, and
    /// what has sent something would send it again.
    fn remember(&self) -> Option<Value> {
        None
    }

    /// Takes up what an earlier invocation remembered. Whatever it does not understand it ignores.
    fn recall(&self, remembered: &Value) {
        let _ = remembered;
    }
}

/// All a check may know. It reads neither the environment nor the clock nor the engine.
pub struct CheckContext<D = Deployment> {
    /// Where in the deployment we are.
    pub stage: Stage,
    /// What is deployed.
    pub deployment: Arc<D>,
    /// When the invocation began, by the function's clock.
    pub now: jiff::Timestamp,
    /// When the whole invocation must have answered.
    pub deadline: Deadline,
    /// How what is not so yet is waited for.
    pub waits: Waits,
    /// The ways to ask the outside world.
    pub ports: Ports,
}

impl<D> CheckContext<D> {
    /// Until the next look at what changes by itself: this long where this invocation waits, longer where another is called.
    pub fn pause(&self, here: Duration) -> Duration {
        match self.waits {
            Waits::Here | Waits::ThenElsewhere { .. } => here,
            Waits::Elsewhere { .. } => here.max(ELSEWHERE),
        }
    }

    /// How long it can still be waited for something, in this invocation or in others.
    pub fn left_to_wait(&self) -> Duration {
        match self.waits {
            Waits::Here => self.deadline.left_for_questions(),
            Waits::ThenElsewhere { until } | Waits::Elsewhere { until } => {
                until.saturating_duration_since(Instant::now())
            }
        }
    }
}

impl<D> Clone for CheckContext<D> {
    fn clone(&self) -> Self {
        Self {
            stage: self.stage,
            deployment: Arc::clone(&self.deployment),
            now: self.now,
            deadline: self.deadline,
            waits: self.waits,
            ports: self.ports.clone(),
        }
    }
}

/// Whoever is called again for a look need not be called more often.
const ELSEWHERE: Duration = Duration::from_secs(10);

/// How what is not so yet is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// In this invocation, as long as it lasts.
    Here,
    /// In this invocation as long as it lasts, then in another.
    ThenElsewhere {
        /// When nothing is waited for any more.
        until: Instant,
    },
    /// In another invocation, but for a moment: whoever called calls again.
    Elsewhere {
        /// When nothing is waited for any more.
        until: Instant,
    },
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is so.
    Yes {
        /// What was seen, with numbers.
        evidence: String,
    },
    /// It is not so; the deployment must stop.
    No {
        /// What was seen, in the past tense, with both numbers and the object's name.
        evidence: String,
        /// What to change: imperative, one line.
        remedy: String,
    },
    /// It is not so yet, and may still become so: ask again.
    NotYet {
        /// How far it is: `1 of 2 tasks run`.
        evidence: String,
        /// How long to wait before the next question.
        again_in: Duration,
        /// What to do if it never becomes so.
        remedy: String,
    },
}

impl Answer {
    /// Yes, and what was seen.
    pub fn yes(evidence: impl Into<String>) -> Self {
        Self::Yes { evidence: evidence.into() }
    }

    /// No: what was seen, and what to do about it. There is no *no* without a remedy.
    pub fn no(evidence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::No { evidence: evidence.into(), remedy: remedy.into() }
    }

    /// Not yet: how far it is, when to look again, and what to do if it never comes.
    pub fn not_yet(evidence: impl Into<String>, again_in: Duration, remedy: impl Into<String>) -> Self {
        Self::NotYet { evidence: evidence.into(), again_in, remedy: remedy.into() }
    }
}

/// Why nobody knows. Never read as yes.
#[derive(Debug, thiserror::Error)]
#[error("{asked}")]
pub struct CannotTell {
    /// What was asked, of which object: `the health of target group tg-green`.
    pub asked: String,
    /// What to do.
    pub remedy: String,
    /// Whether asking again may help: a throttled call, yes; a refused permission, no.
    pub transient: bool,
    /// Why it could not be asked.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

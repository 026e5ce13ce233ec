//! What happened, in order: the transcript is made of it.

use std::fmt;

use jiff::Timestamp;

/// Who did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// A deployment that CodeDeploy carries out.
    CodeDeploy,
    /// A deployment that ECS carries out.
    Deployment,
    /// The scheduler and its tasks.
    Ecs,
    /// Listeners, targets, health checks.
    LoadBalancer,
    /// Alarms.
    CloudWatch,
    /// A function's start, end or death.
    Lambda,
    /// A hook's own report.
    Hook,
    /// The rehearsal: what it started, shortened, broke on purpose.
    Rehearsal,
}

impl fmt::Display for Who {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::CodeDeploy => "CodeDeploy",
            Self::Deployment => "deployment",
            Self::Ecs => "ECS",
            Self::LoadBalancer => "ALB",
            Self::CloudWatch => "CloudWatch",
            Self::Lambda => "Lambda",
            Self::Hook => "hook",
            Self::Rehearsal => "rehearsal",
        })
    }
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When, by the world's clock.
    pub at: Timestamp,
    /// Who.
    pub who: Who,
    /// What. Several lines are one entry.
    pub text: String,
}

/// Everything that happened.
#[derive(Default)]
pub struct Journal {
    /// Oldest first.
    pub entries: Vec<Entry>,
}

impl Journal {
    /// Adds an entry.
    pub fn say(&mut self, at: Timestamp, who: Who, text: impl Into<String>) {
        self.entries.push(Entry { at, who, text: text.into() });
    }
}

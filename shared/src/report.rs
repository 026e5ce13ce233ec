//! What is said about a deployment: rows, their outcome, the verdict, and where the traffic is. Pure functions.
//!
//! CodeDeploy's API has no field for a reason, so the first line must be enough for whoever is woken at three.

mod json;
mod text;
pub mod traffic;
pub mod words;

use std::fmt;
use std::time::Duration;

use self::words::{LINE, one_line};
use crate::deployment::{Deployed, Deployment, DeploymentId, FunctionDeployment, Rollback};
use crate::discovery::Record;
use crate::redaction::Redactions;
use crate::stage::Stage;

/// Best to worst. A report's outcome is the worst of its blocking rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It is so.
    Passed,
    /// It is not so yet, and nobody waits any longer.
    NotYet,
    /// Nobody knows.
    CannotTell,
    /// It is not so.
    Failed,
}

impl Outcome {
    /// The word for people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Passed => "PASSED",
            Self::NotYet => "NOT YET",
            Self::CannotTell => "CANNOT TELL",
            Self::Failed => "FAILED",
        }
    }

    /// The word for machines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::NotYet => "not_yet",
            Self::CannotTell => "cannot_tell",
            Self::Failed => "failed",
        }
    }
}

/// What the engine is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The deployment goes on.
    Proceed,
    /// The deployment stops.
    Stop,
}

impl Verdict {
    /// The word the first line begins with.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Proceed => "GO",
            Self::Stop => "STOP",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.label())
    }
}

/// What became of one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The check's id, which is also the name of its page.
    pub id: String,
    /// The question in words.
    pub question: String,
    /// What became of it.
    pub outcome: Outcome,
    /// What was seen.
    pub evidence: String,
    /// What to do; every row but a passed one has it.
    pub remedy: Option<String>,
    /// How long it took, waiting included.
    pub took: Duration,
    /// Whether the row is only told: an advisory row never stops a deployment.
    pub advisory: bool,
}

/// Whom a report is about: as much as is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// The deployment.
    pub id: DeploymentId,
    /// `cluster/service`, or `function:alias`, or `application/group` while neither is known.
    pub service: Option<String>,
    /// Where production traffic is.
    pub traffic: traffic::Traffic,
    /// Set when the deployment leads back to an older version.
    pub rollback: Option<Rollback>,
}

impl Subject {
    /// Nothing is known but the id.
    pub const fn unknown(id: DeploymentId) -> Self {
        Self { id, service: None, traffic: traffic::Traffic::Unknown, rollback: None }
    }

    /// The deployment's own record is known.
    pub fn recorded(record: &Record) -> Self {
        let service = (!record.application.is_empty()).then(|| format!("{}/{}", record.application, record.group));
        Self { service, rollback: record.automatic_rollback(), ..Self::unknown(record.id.clone()) }
    }

    /// All is known.
    pub fn deployed(deployed: &Deployed) -> Self {
        match deployed {
            Deployed::Service(deployment) => Self::described(deployment),
            Deployed::Function(deployment) => Self::of_function(deployment),
        }
    }

    /// All is known of a service.
    pub fn described(deployment: &Deployment) -> Self {
        Self {
            id: deployment.id.clone(),
            service: Some(format!("{}/{}", deployment.service.cluster, deployment.service.name)),
            traffic: traffic::Traffic::of(deployment),
            rollback: deployment.rollback.clone(),
        }
    }

    /// All is known of a function but where its alias leads, of which there is CodeDeploy's word.
    pub fn of_function(deployment: &FunctionDeployment) -> Self {
        Self {
            id: deployment.id.clone(),
            service: Some(deployment.shift.invoked()),
            traffic: traffic::Traffic::of_function(deployment),
            rollback: deployment.rollback.clone(),
        }
    }
}

/// All that is said about one invocation.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The hook.
    pub stage: Stage,
    /// Whom it is about.
    pub subject: Subject,
    /// Where the plan came from; `None` when no plan was needed.
    pub plan: Option<String>,
    /// One row a question, in the order they were asked.
    pub rows: Vec<Row>,
    /// How long it took so far.
    pub used: Duration,
    /// How long the function has in all.
    pub given: Duration,
}

impl Report {
    /// The only place where the policy lives.
    ///
    /// | | |
    /// |---|---|
    /// | the deployment is a rollback | proceed: no question may block the way back |
    /// | every blocking row passed | proceed |
    /// | a blocking row is *failed*, *cannot tell* or *not yet* | stop |
    pub fn verdict(&self) -> Verdict {
        if self.subject.rollback.is_some() || self.outcome() == Outcome::Passed {
            Verdict::Proceed
        } else {
            Verdict::Stop
        }
    }

    /// The worst of the blocking rows.
    pub fn outcome(&self) -> Outcome {
        self.blocking().map(|row| row.outcome).max().unwrap_or(Outcome::Passed)
    }

    /// The one line that is enough: verdict, hook, service, deployment, where the traffic is, why.
    pub fn first_line(&self) -> String {
        let verdict = self.verdict();
        format!(
            "{verdict}  {}  {}  {}  {}: {}",
            self.stage.hook_name(),
            one_line(self.subject.service.as_deref().unwrap_or("service unknown"), LINE),
            one_line(&self.subject.id.0, 60),
            self.subject.traffic.words(verdict),
            self.reason()
        )
    }

    /// The line of an invocation that only waits: another one goes on.
    pub fn waiting_line(&self, next: &str) -> String {
        format!(
            "WAIT  {}  {}  {}  {}: {}; {next}",
            self.stage.hook_name(),
            one_line(self.subject.service.as_deref().unwrap_or("service unknown"), LINE),
            one_line(&self.subject.id.0, 60),
            self.subject.traffic.words(Verdict::Proceed),
            self.reason()
        )
    }

    /// The report for people.
    pub fn text(&self) -> String {
        text::render(self)
    }

    /// The report for machines: one object.
    pub fn json(&self) -> serde_json::Value {
        json::render(self)
    }

    /// The same report without any secret that was read, every foreign text on one line.
    pub fn cleaned(mut self, redactions: &Redactions) -> Self {
        let clean = |text: &str| one_line(&redactions.clean(text), LINE);
        for row in &mut self.rows {
            row.question = clean(&row.question);
            row.evidence = clean(&row.evidence);
            row.remedy = row.remedy.as_deref().map(clean);
        }
        self.plan = self.plan.as_deref().map(clean);
        self
    }

    /// Why, in half a line.
    fn reason(&self) -> String {
        match &self.subject.rollback {
            Some(Rollback::Automatic { of: Some(of) }) => return format!("rollback of {of}, no question is asked"),
            Some(Rollback::Automatic { of: None }) => return "rollback by CodeDeploy, no question is asked".to_owned(),
            Some(Rollback::Manual { from, to }) => {
                return format!("rollback from {from} to {to}, no question is asked");
            }
            None => {}
        }
        let mut stopping: Vec<&Row> = self.blocking().filter(|row| row.outcome != Outcome::Passed).collect();
        stopping.sort_by_key(|row| std::cmp::Reverse(row.outcome));
        match stopping.as_slice() {
            [] if self.rows.is_empty() => "nothing is asked here".to_owned(),
            [] => match self.rows.iter().filter(|row| row.outcome != Outcome::Passed).count() {
                0 => format!("{} passed", checks(self.rows.len())),
                advisory => format!("{} asked, {advisory} advisory not passed", checks(self.rows.len())),
            },
            [worst, others @ ..] => {
                let more = if others.is_empty() { String::new() } else { format!(" (and {} more)", others.len()) };
                format!("{}: {}{more}", worst.id, one_line(&worst.evidence, 160))
            }
        }
    }

    fn blocking(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| !row.advisory)
    }

    /// What stops the deployment first, then what is only told, then what passed; among equals as they were asked.
    fn worst_first(&self) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.outcome != Outcome::Passed && !row.advisory, row.outcome)));
        rows
    }
}

fn checks(count: usize) -> String {
    if count == 1 { "1 check".to_owned() } else { format!("{count} checks") }
}

#[cfg(test)]
mod tests;

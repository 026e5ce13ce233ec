//! Whether a mutant was seen, by whom, and when.

use serde::Serialize;
use serde_json::Value;

use super::Mutant;
use crate::outcome::{HookOutcome, Outcome};

/// What became of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The deployment was stopped before any user was sent to it.
    Caught,
    /// The deployment was stopped, and users had been sent to it.
    CaughtLate,
    /// It is in production.
    Survived,
}

impl Verdict {
    /// In a table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Caught => "caught",
            Self::CaughtLate => "caught late",
            Self::Survived => "SURVIVED",
        }
    }
}

/// Who stopped a deployment, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Catch {
    /// The check's id, or `CodeDeploy` or `ECS` where no check said no.
    pub by: String,
    /// What was observed.
    pub evidence: String,
}

/// What became of a mutant, and how.
#[derive(Clone, Debug, Serialize)]
pub struct Result {
    /// The mutant.
    #[serde(flatten)]
    pub mutant: &'static Mutant,
    /// What became of it.
    pub verdict: Verdict,
    /// The lifecycle event at which it was stopped.
    pub at: Option<String>,
    /// Who stopped it, the first said first.
    pub catches: Vec<Catch>,
    /// Production requests that green answered.
    pub answered_by_green: u64,
    /// Production requests that were lost.
    pub lost: u64,
}

impl Result {
    /// Looks at the deployment of a mutant.
    pub fn of(mutant: &'static Mutant, outcome: &Outcome) -> Self {
        let total = &outcome.ledger.total;
        let verdict = match (outcome.succeeded(), total.green) {
            (true, _) => Verdict::Survived,
            (false, 0) => Verdict::Caught,
            _ => Verdict::CaughtLate,
        };
        let (at, catches) = match verdict {
            Verdict::Survived => (None, Vec::new()),
            _ => (Some(outcome.ended_at.clone()), catches(outcome)),
        };
        Self { mutant, verdict, at, catches, answered_by_green: total.green, lost: total.lost }
    }
}

/// The checks of the hook that said no; without one, what CodeDeploy said.
fn catches(outcome: &Outcome) -> Vec<Catch> {
    let stopped = |hook: &&HookOutcome| {
        hook.verdict.as_deref() == Some("stop") && hook.deployment.as_deref() == Some(outcome.deployment.as_str())
    };
    let rows = outcome.hooks.iter().find(stopped).and_then(|hook| hook.report.as_ref()?.get("checks")?.as_array());
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let against = |row: &&Value| row["outcome"] != "passed" && row["advisory"] != true;
    let rows = rows.into_iter().flatten().filter(against);
    let mut catches: Vec<(bool, Catch)> = rows
        .map(|row| (row["outcome"] != "failed", Catch { by: text(row, "check.id"), evidence: text(row, "evidence") }))
        .collect();
    // A no before what nobody could tell.
    catches.sort_by_key(|(unclear, _)| *unclear);
    if catches.is_empty() {
        let evidence = outcome.error.as_ref().map(|error| error.message.clone()).unwrap_or_default();
        let by = if outcome.engine == "ecs" { "ECS" } else { "CodeDeploy" };
        catches.push((false, Catch { by: by.to_owned(), evidence }));
    }
    catches.into_iter().map(|(_, catch)| catch).collect()
}

//! What came of a rehearsal: how the deployment ended, what users saw, and whether that was expected.

use serde::Serialize;

use crate::ledger::LedgerSummary;
use crate::scenario::Expectation;
use crate::world::State;
use crate::world::deployments::{Deployment, EventStatus};
use crate::world::load_balancer::{Action, ListenerRole};
use crate::world::services::Colour;

/// What came of it, for machines.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The scenario's name.
    pub scenario: String,
    /// The deployment's id.
    pub deployment: String,
    /// `Succeeded`, `Failed`, `Stopped`.
    pub status: &'static str,
    /// Why it did not succeed: CodeDeploy's error code and message.
    pub error: Option<(String, String)>,
    /// The lifecycle event at which it ended.
    pub ended_at: String,
    /// The rollback deployment and how it ended.
    pub rollback: Option<(String, &'static str)>,
    /// Who has production now, in percent of weight.
    pub production: Vec<(Colour, u32)>,
    /// Lifecycle events and how they ended.
    pub events: Vec<(&'static str, &'static str)>,
    /// Migrations that are recorded at the end: version and whether it succeeded; `None` without a database.
    pub migrations: Option<Vec<(i64, bool)>>,
    /// What became of production requests.
    pub ledger: LedgerSummary,
    /// Whether nothing was expected at all.
    pub expects_nothing: bool,
    /// What was expected and is not so.
    pub disappointments: Vec<String>,
}

impl Outcome {
    /// Looks at the world after the deployment.
    pub fn of(scenario: &str, id: &str, state: &State, ledger: LedgerSummary) -> Self {
        let deployment = state.codedeploy.deployment(id);
        let rollback = deployment.and_then(|it| it.rolled_back_by.as_deref());
        let rollback = rollback.and_then(|id| state.codedeploy.deployment(id));
        Self {
            scenario: scenario.to_owned(),
            deployment: id.to_owned(),
            status: deployment.map_or("unknown", |it| it.status.name()),
            error: deployment.and_then(|it| it.error.as_ref()).map(|it| (it.code.to_owned(), it.message.clone())),
            ended_at: deployment.map(ended_at).unwrap_or_default(),
            rollback: rollback.map(|it| (it.id.clone(), it.status.name())),
            production: production(state),
            events: deployment
                .map(|it| it.events.iter().map(|event| (event.name, event.status.name())).collect())
                .unwrap_or_default(),
            migrations: None,
            ledger,
            expects_nothing: true,
            disappointments: Vec::new(),
        }
    }

    /// Holds the outcome and the transcript against what was expected.
    pub fn judge(&mut self, expect: &Expectation, transcript: &str) {
        self.expects_nothing = *expect == Expectation::default();
        let mut wrong = Vec::new();
        if let Some(status) = expect.status
            && status.name() != self.status
        {
            wrong.push(format!("expected the deployment to end {}; it ended {}", status.name(), self.status));
        }
        if let Some(event) = &expect.ends_at
            && *event != self.ended_at
        {
            wrong.push(format!("expected it to end at {event}; it ended at {}", self.ended_at));
        }
        if let Some(colour) = expect.production
            && self.production != [(colour.colour(), 100)]
        {
            let is = in_words(&self.production);
            wrong.push(format!("expected all of production on {}; it is on {is}", colour.colour()));
        }
        if let Some(rolled_back) = expect.rolled_back
            && rolled_back != matches!(self.rollback, Some((_, "Succeeded")))
        {
            let is =
                self.rollback.as_ref().map_or("there was none".to_owned(), |(id, status)| format!("{id} {status}"));
            wrong.push(format!("expected a rollback: {}; {is}", if rolled_back { "yes" } else { "no" }));
        }
        let total = &self.ledger.total;
        if let Some(lost) = expect.lost
            && total.lost != lost
        {
            wrong.push(format!("expected {lost} production requests lost; {} of {} were", total.lost, total.sent));
        }
        if let Some(most) = expect.lost_at_most {
            let lost = 100.0 * total.lost as f64 / (total.sent.max(1)) as f64;
            if lost > most.percent() {
                wrong.push(format!("expected at most {most} of production lost; {lost:.2}% was"));
            }
        }
        if let Some(share) = expect.canary_share {
            match self.canary_share() {
                Some(is) if (is - share.percent()).abs() <= 2.0 => {}
                Some(is) => wrong.push(format!("expected green to answer near {share} in the canary; it was {is:.1}%")),
                None => wrong.push("expected a canary; no production request was sent in one".to_owned()),
            }
        }
        if let Some(versions) = &expect.migrations {
            let is: Vec<i64> = self.migrations.iter().flatten().filter(|(_, ok)| *ok).map(|(it, _)| *it).collect();
            if is != versions.value {
                wrong.push(format!("expected migrations {:?} to be recorded; {is:?} are", versions.value));
            }
        }
        for words in &expect.says {
            if !transcript.contains(words.as_str()) {
                wrong.push(format!("expected the transcript to say \"{words}\""));
            }
        }
        self.disappointments = wrong;
    }

    /// The share that green answered while only a part of production was on it, in percent: of the first step.
    fn canary_share(&self) -> Option<f64> {
        let step = self.ledger.phases.iter().find(|phase| phase.name.starts_with("AllowTraffic"))?;
        (step.sent > 0).then(|| 100.0 * step.green as f64 / step.sent as f64)
    }

    /// The closing lines of the transcript.
    pub fn closing(&self) -> String {
        let mut lines = vec![String::new(), format!("production requests\n{}", self.ledger)];
        let mut end = format!("the deployment {}", self.status);
        if let Some((_, message)) = &self.error {
            end.push_str(&format!(" at {}: {message}", self.ended_at));
        }
        lines.push(end);
        lines.push(match &self.rollback {
            Some((_, status)) => format!("the rollback {status}"),
            None => "there was no rollback".to_owned(),
        });
        lines.push(format!("production is on {}", in_words(&self.production)));
        if let Some(migrations) = &self.migrations {
            let recorded: Vec<String> = migrations
                .iter()
                .map(|(version, ok)| format!("{version}{}", if *ok { "" } else { " (unfinished)" }))
                .collect();
            lines.push(format!("migrations recorded: {}", recorded.join(", ")));
        }
        for disappointment in &self.disappointments {
            lines.push(format!("NOT AS EXPECTED: {disappointment}"));
        }
        if self.disappointments.is_empty() {
            let said = if self.expects_nothing { "the scenario expects nothing" } else { "as expected" };
            lines.push(said.to_owned());
        }
        lines.join("\n")
    }
}

fn ended_at(deployment: &Deployment) -> String {
    let failed = deployment.events.iter().find(|event| event.status == EventStatus::Failed);
    let last = deployment.events.iter().rfind(|event| event.status == EventStatus::Succeeded);
    failed.or(last).map(|event| event.name.to_owned()).unwrap_or_default()
}

/// Who the production listener forwards to, by weight.
fn production(state: &State) -> Vec<(Colour, u32)> {
    let colour_of = |group: &str| {
        let sets = state.services.iter().flat_map(|service| &service.task_sets);
        sets.filter(|set| set.target_group == group).map(|set| set.colour).next_back()
    };
    let rules = state.listeners.iter().filter(|it| it.role == ListenerRole::Production).flat_map(|it| &it.rules);
    let groups = rules.flat_map(|rule| match &rule.action {
        Action::Forward(groups) => groups.as_slice(),
        Action::FixedResponse { .. } => &[],
    });
    groups.filter(|(_, weight)| *weight > 0).filter_map(|(arn, weight)| Some((colour_of(arn)?, *weight))).collect()
}

fn in_words(production: &[(Colour, u32)]) -> String {
    match production {
        [] => "nobody".to_owned(),
        [(colour, _)] => colour.to_string(),
        several => {
            several.iter().map(|(colour, weight)| format!("{colour} ({weight} %)")).collect::<Vec<_>>().join(" and ")
        }
    }
}

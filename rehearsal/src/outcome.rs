//! What came of a rehearsal: how the deployment ended, what users saw, and whether that was expected.

use greenlight::lifecycle_stage::LifecycleStage;
use serde::Serialize;

mod course;
mod hooks;
mod markdown;

pub use hooks::{CallCounts, HookOutcome, Permissions, count, needed};

use crate::ledger::LedgerSummary;
use crate::scenario::native::counterpart;
use crate::scenario::{Expectation, ExpectedStatus};
use crate::world::State;
use crate::world::load_balancer::{Action, ListenerRole};
use crate::world::services::Colour;

/// What came of it, for machines: docs/rehearsal.md lists the keys.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The scenario's name.
    pub scenario: String,
    /// Who carried the deployment out: `codedeploy` or `ecs`.
    pub engine: &'static str,
    /// Whether everything that the scenario expects is so.
    pub as_expected: bool,
    /// What the scenario expects, key by key.
    pub expectations: Vec<Held>,
    /// The deployment's id, of ECS its ARN; the last one's where the scenario makes several.
    pub deployment: String,
    /// `Succeeded`, `Failed`, `Stopped`; of ECS `SUCCESSFUL`, `ROLLBACK_SUCCESSFUL`, `ROLLBACK_FAILED`, `STOPPED`.
    pub status: &'static str,
    /// Why it did not succeed.
    pub error: Option<ErrorOutcome>,
    /// The lifecycle event at which it ended.
    pub ended_at: String,
    /// From its creation to its end, in seconds of the world.
    pub took_seconds: Option<f64>,
    /// The rollback deployment; of ECS the deployment itself, where it went back.
    pub rollback: Option<RollbackOutcome>,
    /// Who has production at the end.
    pub production: Vec<Weight>,
    /// Lifecycle events, of ECS the stages it reached, in their order.
    pub events: Vec<EventOutcome>,
    /// Every invocation of a function, oldest first.
    pub hooks: Vec<HookOutcome>,
    /// AWS calls by caller, and by `service:operation`.
    pub calls: CallCounts,
    /// What each function's role had to allow: resources by IAM action.
    pub permissions: Permissions,
    /// Migrations that are recorded at the end; `None` without a database.
    pub migrations: Option<Vec<MigrationOutcome>>,
    /// What became of production requests.
    pub ledger: LedgerSummary,
}

/// CodeDeploy's `ErrorInformation`, or ECS's `statusReason`.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorOutcome {
    /// `HOOK_EXECUTION_FAILURE`, …; ECS has none.
    pub code: Option<&'static str>,
    /// In words.
    pub message: String,
}

/// The deployment that undoes another.
#[derive(Clone, Debug, Serialize)]
pub struct RollbackOutcome {
    /// Its id.
    pub deployment: String,
    /// How it ended.
    pub status: &'static str,
}

/// A share of production.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Weight {
    /// Whose.
    pub colour: Colour,
    /// Percent.
    pub percent: u32,
}

/// A lifecycle event.
#[derive(Clone, Debug, Serialize)]
pub struct EventOutcome {
    /// Its name.
    pub name: &'static str,
    /// `Succeeded`, `Failed`, `Skipped`, …
    pub status: &'static str,
    /// How long it took, in seconds of the world.
    pub took_seconds: Option<f64>,
}

/// A recorded migration.
#[derive(Clone, Debug, Serialize)]
pub struct MigrationOutcome {
    /// Version.
    pub version: i64,
    /// Whether it was applied to its end.
    pub success: bool,
}

/// One key of a scenario's `expect`.
#[derive(Clone, Debug, Serialize)]
pub struct Held {
    /// The key.
    pub key: &'static str,
    /// Whether it is so.
    pub held: bool,
    /// What is so instead; `None` where it held.
    pub instead: Option<String>,
}

impl Outcome {
    /// Looks at the world after the deployment.
    pub fn of(scenario: &str, id: &str, state: &State, ledger: LedgerSummary) -> Self {
        let course = match state.service_deployment(id) {
            Some(deployment) => course::of_ecs(deployment),
            None => course::of_codedeploy(state, id),
        };
        Self {
            scenario: scenario.to_owned(),
            engine: course.engine,
            as_expected: true,
            expectations: Vec::new(),
            deployment: id.to_owned(),
            status: course.status,
            error: course.error,
            ended_at: course.ended_at,
            took_seconds: course.took_seconds,
            rollback: course.rollback,
            production: production(state),
            events: course.events,
            hooks: hooks::all(state),
            calls: CallCounts::new(),
            permissions: Permissions::new(),
            migrations: None,
            ledger,
        }
    }

    /// Whether green is what is deployed now.
    pub fn succeeded(&self) -> bool {
        ExpectedStatus::Succeeded.is(self.status)
    }

    /// Holds the outcome and the transcript against what was expected.
    pub fn judge(&mut self, expect: &Expectation, transcript: &str) {
        let mut held = Vec::new();
        let mut hold = |key, holds: bool, otherwise: &dyn Fn() -> String| {
            held.push(Held { key, held: holds, instead: (!holds).then(otherwise) });
        };
        if let Some(status) = expect.status {
            hold("status", status.is(self.status), &|| {
                format!("expected the deployment to end {}; it ended {}", status.name(), self.status)
            });
        }
        if let Some(event) = &expect.ends_at {
            hold("ends_at", self.ended_at_or_what_matches(event), &|| {
                format!("expected it to end at {event}; it ended at {}", self.ended_at)
            });
        }
        if let Some(colour) = expect.production.map(|it| it.colour()) {
            hold("production", self.production == [Weight { colour, percent: 100 }], &|| {
                format!("expected all of production on {colour}; it is on {}", in_words(&self.production))
            });
        }
        if let Some(wanted) = expect.rolled_back {
            let rolled_back =
                self.rollback.as_ref().is_some_and(|it| ["Succeeded", "ROLLBACK_SUCCESSFUL"].contains(&it.status));
            hold("rolled_back", wanted == rolled_back, &|| {
                let is = self.rollback.as_ref();
                let is = is.map_or("there was none".to_owned(), |it| format!("{} {}", it.deployment, it.status));
                format!("expected a rollback: {}; {is}", if wanted { "yes" } else { "no" })
            });
        }
        let total = &self.ledger.total;
        if let Some(lost) = expect.lost {
            hold("lost", total.lost == lost, &|| {
                format!("expected {lost} production requests lost; {} of {} were", total.lost, total.sent)
            });
        }
        if let Some(most) = expect.lost_at_most {
            let lost = 100.0 * total.lost as f64 / (total.sent.max(1)) as f64;
            hold("lost_at_most", lost <= most.percent(), &|| {
                format!("expected at most {most} of production lost; {lost:.2}% was")
            });
        }
        if let Some(most) = expect.longest_answer {
            let longest = total.longest.unwrap_or_default();
            hold("longest_answer", longest <= most.duration(), &|| {
                format!("expected every production request answered within {most}; one took {longest:.1?}")
            });
        }
        if let Some(share) = expect.canary_share {
            let step = self.first_step();
            // Two points, and one request: that which was under way when a short step began is nearly two points alone.
            let near = |(sent, green): (f64, f64)| (green - share.fraction() * sent).abs() <= 0.02 * sent + 1.0;
            hold("canary_share", step.is_some_and(near), &|| match step {
                Some((sent, green)) => {
                    format!("expected green to answer near {share} in the canary; it was {:.1}%", 100.0 * green / sent)
                }
                None => "expected a canary; no production request was sent in one".to_owned(),
            });
        }
        if let Some(versions) = &expect.migrations {
            let recorded = self.migrations.iter().flatten().filter(|it| it.success);
            let is: Vec<i64> = recorded.map(|it| it.version).collect();
            hold("migrations", is == versions.value, &|| {
                format!("expected migrations {:?} to be recorded; {is:?} are", versions.value)
            });
        }
        for words in &expect.says {
            hold("says", transcript.contains(words.as_str()), &|| {
                format!("expected the transcript to say \"{words}\"")
            });
        }
        self.as_expected = held.iter().all(|it| it.held);
        self.expectations = held;
    }

    /// How many requests were sent while only the first step of the shift was made, and how many of them green answered.
    #[expect(clippy::cast_precision_loss, reason = "nobody sends 2^53 requests")]
    fn first_step(&self) -> Option<(f64, f64)> {
        let shift = ["AllowTraffic", "PRODUCTION_TRAFFIC_SHIFT"];
        let mut phases = self.ledger.phases.iter();
        let step = phases.find(|phase| shift.iter().any(|event| phase.name.starts_with(event)))?;
        (step.sent > 0).then_some((step.sent as f64, step.green as f64))
    }

    /// Whether it ended at this lifecycle event, or at the stage of ECS that does the same. A deployment that succeeded has
    /// passed them all.
    fn ended_at_or_what_matches(&self, event: &str) -> bool {
        let stage = counterpart(event).map(LifecycleStage::name);
        let last = self.status == "SUCCESSFUL" && event == "AfterAllowTraffic";
        event == self.ended_at || last || self.engine == "ecs" && stage == Some(&self.ended_at)
    }

    /// The closing lines of the transcript.
    pub fn closing(&self) -> String {
        let mut lines = vec![String::new(), format!("production requests\n{}", self.ledger)];
        let mut end = format!("the deployment {}", self.status);
        if let Some(error) = &self.error {
            end.push_str(&format!(" at {}: {}", self.ended_at, error.message));
        }
        lines.push(end);
        lines.push(match &self.rollback {
            Some(rollback) => format!("the rollback {}", rollback.status),
            None => "there was no rollback".to_owned(),
        });
        lines.push(format!("production is on {}", in_words(&self.production)));
        if let Some(migrations) = &self.migrations {
            let recorded: Vec<String> = migrations
                .iter()
                .map(|it| format!("{}{}", it.version, if it.success { "" } else { " (unfinished)" }))
                .collect();
            lines.push(format!("migrations recorded: {}", recorded.join(", ")));
        }
        for disappointment in self.expectations.iter().filter_map(|it| it.instead.as_ref()) {
            lines.push(format!("NOT AS EXPECTED: {disappointment}"));
        }
        if self.expectations.is_empty() {
            lines.push("the scenario expects nothing".to_owned());
        } else if self.as_expected {
            lines.push("as expected".to_owned());
        }
        lines.join("\n")
    }
}

/// Who the production listener forwards to, by weight; or where the alias of a function leads.
fn production(state: &State) -> Vec<Weight> {
    if let Some(alias) = state.aliases.first() {
        let colour = |version: &str| state.version(&alias.function, version).and_then(|it| it.colour);
        let share = alias.additional.as_ref().map_or(0, |(_, percent)| *percent);
        let additional = alias.additional.iter().map(|(version, percent)| (version, *percent));
        let shares = std::iter::once((&alias.version, 100 - share)).chain(additional);
        return shares.filter_map(|(version, percent)| Some(Weight { colour: colour(version)?, percent })).collect();
    }
    let colour_of = |group: &str| {
        let sets = state.services.iter().flat_map(|service| &service.task_sets);
        sets.filter(|set| set.target_group == group).map(|set| set.colour).next_back()
    };
    // The first rule that is tried takes every request.
    let production = state.listeners.iter().find(|it| it.role == ListenerRole::Production);
    let groups = match production.and_then(|listener| listener.rules.first()).map(|rule| &rule.action) {
        Some(Action::Forward(groups)) => groups.as_slice(),
        Some(Action::FixedResponse { .. }) | None => &[],
    };
    let sum: u32 = groups.iter().map(|(_, weight)| weight).sum();
    let shares = groups.iter().filter(|(_, weight)| *weight > 0).map(|(arn, weight)| (arn, weight * 100 / sum));
    shares.filter_map(|(arn, percent)| Some(Weight { colour: colour_of(arn)?, percent })).collect()
}

fn in_words(production: &[Weight]) -> String {
    match production {
        [] => "nobody".to_owned(),
        [all] => all.colour.to_string(),
        several => {
            several.iter().map(|it| format!("{} ({} %)", it.colour, it.percent)).collect::<Vec<_>>().join(" and ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::PhaseSummary;

    /// Whether a share of 10 % is held to be so when green answered `green` of `sent` requests in the first step.
    fn is_near(sent: u64, green: u64) -> bool {
        let step = PhaseSummary { name: "AllowTraffic 10 %".to_owned(), sent, green, ..PhaseSummary::default() };
        let ledger = LedgerSummary { phases: vec![step], ..LedgerSummary::default() };
        let mut outcome = Outcome::of("a-scenario", "d-1", &State::default(), ledger);
        let share = greenlight::document::parse("canary_share: 10%", "expect").expect("an expectation");
        outcome.judge(&share, "");
        outcome.as_expected
    }

    /// Every tenth request goes to green: of 41, the first and the last may both be one.
    #[test]
    fn a_short_first_step_may_be_a_request_off_its_share() {
        assert!(is_near(41, 5) && is_near(60, 6) && is_near(200, 24));
        assert!(!is_near(41, 6) && !is_near(60, 9) && !is_near(200, 26) && !is_near(40, 2));
    }

    #[test]
    fn a_step_in_which_nobody_asked_is_no_canary() {
        assert!(!is_near(0, 0));
    }
}

//! Ways to break green, to learn which of them a plan's checks see.
//!
//! All but two are done from outside, in front of the process that is green: so they work for any command.

use std::path::PathBuf;

use greenlight::plan::{Plan, Request};
use serde::Serialize;

use crate::scenario::Scenario;
use crate::world::services::TaskDefinition;

mod twist;
mod verdict;
mod wrapper;

pub use twist::Twist;
pub use verdict::{Catch, Result as MutantResult, Verdict};
pub use wrapper::{Wrapper, run as run_wrapper};

/// A way to break green.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Mutant {
    /// Its name.
    pub name: &'static str,
    /// What it does to green.
    pub does: &'static str,
    #[serde(skip)]
    change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// Green runs behind a process that changes its answers.
    Answers(Twist),
    /// Green is the version that blue is.
    OldVersion,
    /// Green's database is not there.
    NoDatabase,
    /// The test listener leads to blue as well.
    Leak,
}

/// Every mutant, in the order in which they are tried. *One path* is the one that the plan asks last.
pub static ALL: [Mutant; 19] = [
    mutant("exits-at-start", "the process ends at once", Change::Answers(Twist::ExitsAtStart)),
    mutant("health-500", "the health check is answered 500", Change::Answers(Twist::Health500)),
    mutant("old-version", "green is what blue is: the old image was pushed again", Change::OldVersion),
    mutant("leaks-blue", "the test listener leads to blue every second time", Change::Leak),
    mutant("no-database", "the database cannot be reached", Change::NoDatabase),
    mutant(
        "crashes",
        "the process ends at the fourth request that is no health check",
        Change::Answers(Twist::Crashes),
    ),
    mutant("500-on-one-path", "one path is answered 500", Change::Answers(Twist::Error)),
    mutant("redirects", "one path is answered with a redirect", Change::Answers(Twist::Redirects)),
    mutant("empty-body", "one path is answered 200 without a body", Change::Answers(Twist::EmptyBody)),
    mutant("html-not-json", "one path is answered 200 with an HTML page", Change::Answers(Twist::Html)),
    mutant("field-missing", "one path's JSON lacks its last field", Change::Answers(Twist::FieldMissing)),
    mutant(
        "field-renamed",
        "one path's JSON has another name for its first field",
        Change::Answers(Twist::FieldRenamed),
    ),
    mutant("numbers-as-text", "one path's JSON has its numbers in quotes", Change::Answers(Twist::NumbersAsText)),
    mutant("wrong-content-type", "one path's JSON is called text/plain", Change::Answers(Twist::ContentType)),
    mutant("stale-answers", "one path repeats the first answer it gave", Change::Answers(Twist::Stale)),
    mutant("slow", "every answer takes 800 ms more", Change::Answers(Twist::Slow)),
    mutant("cut-bodies", "every body breaks off in its middle", Change::Answers(Twist::CutBodies)),
    mutant(
        "drops-connections",
        "every third request gets no answer, only a closed connection",
        Change::Answers(Twist::Drops),
    ),
    mutant(
        "fails-under-load",
        "a task answers 503 beyond ten requests a second",
        Change::Answers(Twist::FailsUnderLoad),
    ),
];

const fn mutant(name: &'static str, does: &'static str, change: Change) -> Mutant {
    Mutant { name, does, change }
}

/// A mutant in a scenario.
#[derive(Clone, Debug)]
pub struct Mutated {
    /// Which.
    pub mutant: &'static Mutant,
    /// The program that green runs behind: `rehearse` itself.
    pub program: PathBuf,
    /// What the path begins with that is broken where only one is.
    pub path: String,
}

impl Mutant {
    /// Whether it can be done to this scenario's green.
    pub fn fits(&self, scenario: &Scenario) -> bool {
        match self.change {
            Change::NoDatabase => scenario.service.database,
            Change::Leak => scenario.deployment.test_listener,
            Change::Answers(_) | Change::OldVersion => true,
        }
    }

    /// Whether the listener must be led astray while the deployment runs.
    pub fn leaks(&self) -> bool {
        self.change == Change::Leak
    }
}

impl Mutated {
    /// The definition of green, broken.
    pub fn break_green(&self, mut green: TaskDefinition, blue: &TaskDefinition, scenario: &Scenario) -> TaskDefinition {
        let service = &scenario.service;
        for (container, old) in green.containers.iter_mut().zip(&blue.containers) {
            match self.mutant.change {
                Change::OldVersion => {
                    container.entry_point.clone_from(&old.entry_point);
                    container.command.clone_from(&old.command);
                    container.environment.clone_from(&old.environment);
                }
                Change::NoDatabase => {
                    // Port 1 is reserved; nothing listens there.
                    let nowhere = "postgres://nobody:nothing@127.0.0.1:1/nothing".to_owned();
                    container.environment.insert(service.database_variable.clone(), nowhere);
                }
                Change::Answers(_) => {
                    container.wrapper = vec![
                        self.program.display().to_string(),
                        "mutant".to_owned(),
                        format!("--name={}", self.mutant.name),
                        format!("--port-variable={}", service.port_variable),
                        format!("--path={}", self.path),
                        "--".to_owned(),
                    ];
                }
                Change::Leak => {}
            }
        }
        green
    }
}

/// What the path begins with that is broken where only one is: the last that the plan asks, else that users ask.
pub fn one_path(plan: &Plan, scenario: &Scenario) -> String {
    let fixed = |request: &Request| {
        let path = request.path.to_string();
        path.split("${").next().unwrap_or_default().split('?').next().unwrap_or_default().to_owned()
    };
    let of_plan = [&plan.production.requests, &plan.test_traffic.requests];
    let of_plan: Vec<String> = of_plan.into_iter().flatten().flatten().map(fixed).collect();
    let of_users = scenario.traffic.requests.iter().flat_map(|requests| &requests.value).map(|it| it.path.clone());
    let usual = if scenario.runs_sample_service() { "/orders" } else { "/" };
    let mut asked: Vec<String> = of_users.chain(of_plan).collect();
    asked.retain(|path| *path != scenario.service.health_check.path);
    asked.pop().unwrap_or_else(|| usual.to_owned())
}

/// The mutant of this name.
pub fn named(name: &str) -> std::result::Result<&'static Mutant, String> {
    ALL.iter().find(|mutant| mutant.name == name).ok_or_else(|| {
        let known: Vec<&str> = ALL.iter().map(|mutant| mutant.name).collect();
        format!("unknown mutant `{name}`; {}", greenlight::document::one_of(name, &known))
    })
}

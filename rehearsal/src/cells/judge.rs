//! Whether a cell ended as every cell must.

use serde_json::Value;

use super::{Disturbance, Panics, Ran, RequestFault};
use crate::world::faults::FaultKind;
use crate::world::functions::InvocationStatus;

/// What is to be said of a cell.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// Nobody was answered.
    pub silent: bool,
    /// It died before its first line, and nobody kept its event: nobody can know whom to answer, which docs/limits.md says.
    pub unknown: bool,
    /// `Succeeded` was answered.
    pub went_on: bool,
    /// The stand-in answered.
    pub by_stand_in: bool,
    /// What is wrong, a sentence each.
    pub faults: Vec<String>,
}

/// What the stand-in says loudest.
const UNKNOWN: &str = "NOBODY HAS ANSWERED: ";

/// A call that may fail from the first on, and the deployment goes on all the same.
struct NotNeeded {
    operation: &'static str,
    /// By which hook; `""` is any.
    hook: &'static str,
    /// Whether only where a service is deployed.
    of_services: bool,
}

const NOT_NEEDED: [NotNeeded; 5] = [
    // report-failure delivers what the hook had decided.
    NotNeeded { operation: "codedeploy:PutLifecycleEventHookExecutionStatus", hook: "", of_services: false },
    // The plan is in the label, which is looked at beside the parameter and counts first.
    NotNeeded { operation: "ssm:GetParameter", hook: "", of_services: true },
    // Also asked about blue, by green-spans-zones, which is advisory.
    NotNeeded { operation: "ecs:ListTasks", hook: "", of_services: true },
    NotNeeded { operation: "ecs:DescribeTasks", hook: "", of_services: true },
    // Only the report's first line says where the alias leads.
    NotNeeded { operation: "lambda:GetAlias", hook: "before-allow-traffic", of_services: false },
];

/// Judges a cell that was disturbed like this; none of the secrets may be in any output.
pub fn judge(disturbed: &[Disturbance], ran: &Ran, secrets: &[String]) -> Judged {
    let mut judged = Judged::default();
    let returned = matches!(ran.hook.status, InvocationStatus::Returned(_));
    let report = report(&ran.hook.log);
    let Some((went_on, after)) = ran.answer else {
        let began = said(&ran.hook.log, " is asked about ");
        judged.unknown = !ran.hook.by_event && !began && ran.stand_in.as_ref().is_some_and(|it| said(&it.log, UNKNOWN));
        if judged.unknown {
            return judged;
        }
        judged.silent = true;
        judged.faults.push("nobody was answered".to_owned());
        return judged;
    };
    judged.went_on = went_on;
    judged.by_stand_in = !returned && ran.stand_in.as_ref().is_some_and(|it| said(&it.log, "in its place"));
    // The time counts from the event on, which comes after the start of the process.
    if returned && after > ran.timeout + ran.hook.init.unwrap_or_default() {
        judged.faults.push(format!("the answer came after {} ms, past the deadline", after.as_millis()));
    }
    if went_on {
        match &report {
            None => judged.faults.push("Succeeded was answered without a report".to_owned()),
            Some(report) => judged.faults.extend(not_all_yes(report)),
        }
        let must_stop = disturbed.iter().filter(|it| must_stop(it, &ran.hook.function, ran.of_function));
        judged.faults.extend(must_stop.map(|it| format!("Succeeded was answered in spite of {it}")));
    }
    let panicked = disturbed.iter().any(|it| matches!(it, Disturbance::Panics(_)));
    if panicked && disturbed.len() == 1 && ran.refused > 0 {
        judged.faults.push(format!("{} further answers were given", ran.refused));
    }
    if !went_on && returned {
        judged.faults.extend(unnamed(report.as_ref(), &ran.hook.log));
    }
    let came_second = ran.stand_in.as_ref().is_some_and(|it| said(&it.log, "CodeDeploy waits for no answer"));
    // It may die between its answer and its line about it: then its report has said what it answers.
    let decided = report.as_ref().is_some_and(|report| (report["verdict"] == "go") == went_on);
    let told = decided || said(&ran.hook.log, "has taken the answer");
    if !returned && !judged.by_stand_in && !came_second && !told {
        judged.faults.push("the hook died, an answer was given, and no log says so".to_owned());
    }
    let logs = ran.hook.log.iter().chain(ran.stand_in.iter().flat_map(|it| &it.log));
    let output = match &ran.hook.status {
        InvocationStatus::Returned(text) | InvocationStatus::Errored(text) => text.as_str(),
        _ => "",
    };
    for line in logs.map(String::as_str).chain([output]) {
        if secrets.iter().any(|secret| line.contains(secret)) {
            judged.faults.push("a secret is in the output".to_owned());
        }
    }
    judged
}

/// Whether no deployment may go on with this, whatever the report says.
fn must_stop(disturbance: &Disturbance, hook: &str, of_function: bool) -> bool {
    match disturbance {
        Disturbance::Call { operation, after: 0, kind, always: true } => {
            let harmless = matches!(kind, FaultKind::Delay(_) | FaultKind::WrongType);
            let needless = |it: &NotNeeded| {
                it.operation == operation && hook.ends_with(it.hook) && !(it.of_services && of_function)
            };
            !harmless && !NOT_NEEDED.iter().any(needless)
        }
        // One that panics in its answer had decided well, which report-failure delivers.
        Disturbance::Panics(what) => *what != Panics::Answer,
        Disturbance::Request { kind, always: true, .. } => {
            !matches!(kind, RequestFault::Slow | RequestFault::WrongType)
        }
        _ => false,
    }
}

/// The hook's report among its lines.
fn report(log: &[String]) -> Option<Value> {
    let mut lines = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.rfind(|line| line["checks"].is_array())
}

fn said(log: &[String], words: &str) -> bool {
    log.iter().any(|line| line.contains(words))
}

/// Why a report is none that lets a deployment go on.
fn not_all_yes(report: &Value) -> Option<String> {
    let no = |row: &&Value| row["outcome"] != "passed" && row["advisory"] != true;
    let row = report["checks"].as_array()?.iter().find(no);
    match row {
        Some(row) => Some(format!("Succeeded was answered although {} is {}", row["check.id"], row["outcome"])),
        None if report["verdict"] != "go" => Some("Succeeded was answered although the report says stop".to_owned()),
        None => None,
    }
}

/// Whether the first line of a report that stops names what failed; the watchdog's line is a report of its own.
fn unnamed(report: Option<&Value>, log: &[String]) -> Option<String> {
    let Some(report) = report else {
        let other = said(log, "HANGS  ") || said(log, "the report could not be written");
        return (!other).then(|| "Failed was answered, and no line says why".to_owned());
    };
    let first = report["message"].as_str().unwrap_or_default();
    let no = |row: &&Value| row["outcome"] != "passed" && row["advisory"] != true;
    let mut failed = report["checks"].as_array().into_iter().flatten().filter(no);
    let names = |row: &Value| row["check.id"].as_str().is_some_and(|id| first.contains(id));
    if said(log, "this report came too late") || failed.any(names) {
        return None;
    }
    Some(format!("the first line does not name what failed: {first}"))
}

//! How a one-off task ended, by what ECS says of it.

use greenlight::ports::{Task, TaskDefinition};
use greenlight::report::words::one_line;

/// Characters of a reason of ECS that a row quotes.
const QUOTED: usize = 160;

/// Where a task is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// It has not ended.
    Goes,
    /// Its tool ended with exit code 0.
    Succeeded,
    /// It ended otherwise.
    Failed {
        /// How, in the past tense.
        how: String,
        /// Whether the tool's container ran, so that it may have written something.
        ran: bool,
        /// What to do.
        remedy: String,
    },
}

/// Only the exit code of the tool's own container counts: one that has none did not do its work.
pub(super) fn course(task: &Task, container: &str, definition: &TaskDefinition) -> Course {
    let code = |name: &str| task.exit_codes.iter().find(|(known, _)| known == name).map(|(_, code)| *code);
    let is_stopped = task.last_status == "STOPPED";
    let is_essential = |name: &str| definition.containers.iter().any(|it| it.name == name && it.essential);
    let own = code(container);
    // When an essential container ends, why the task stops is known only once it has.
    if own == Some(0) {
        return Course::Succeeded;
    }
    if !is_stopped && (own.is_none() || is_essential(container)) {
        return Course::Goes;
    }
    let why = why(task, container);
    let first = task.exit_codes.iter().find(|(name, _)| name != container && is_essential(name));
    let ended_by_itself = task.stop_code.as_deref() == Some("EssentialContainerExited");
    match (own, first) {
        // SIGTERM or SIGKILL, and not the tool's own end.
        (None | Some(137 | 143), Some((sidecar, code))) if ended_by_itself => Course::Failed {
            how: format!(
                "container {sidecar}, essential too, ended first with exit code {code} and took the task down; {}",
                match own {
                    Some(code) => format!("{container} was ended with exit code {code}{why}"),
                    None => format!("{container} has no exit code{why}"),
                }
            ),
            ran: own.is_some(),
            remedy: format!(
                "Let {sidecar} run as long as {container}, or make it not essential in the task definition; then redeploy."
            ),
        },
        (None, _) => Course::Failed {
            how: format!("{container} has no exit code, so it never ended its work{why}"),
            ran: task.started_at.is_some(),
            remedy: "Repair what kept the task from running (image, secrets, roles, network, capacity); then redeploy."
                .to_owned(),
        },
        (Some(code), _) => Course::Failed {
            how: format!("{container} exited with code {code}{why}; the database is as the tool left it"),
            ran: true,
            remedy: format!("Read on in the log of {container}, repair; then redeploy: the tool is run again."),
        },
    }
}

/// `; OutOfMemoryError: …; EssentialContainerExited, "Essential container in task exited"`.
fn why(task: &Task, container: &str) -> String {
    let mut why = String::new();
    if let Some((_, reason)) = task.reasons.iter().find(|(name, _)| name == container) {
        why.push_str(&format!("; {}", one_line(reason, QUOTED)));
    }
    let quoted = task.stopped_reason.as_ref().map(|reason| format!("\"{}\"", one_line(reason, QUOTED)));
    let parts: Vec<String> = task.stop_code.iter().cloned().chain(quoted).collect();
    if !parts.is_empty() {
        why.push_str(&format!("; {}", parts.join(", ")));
    }
    why
}

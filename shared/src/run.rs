//! Asks every check at the same time, asks again what may still become so, and has a row for each when the time is over:
//! a check that panics, errs or never returns hides no other. What must be waited for elsewhere says so.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::join_all;
use serde_json::Value;
use tokio::sync::{SetOnce, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::check::{Answer, CannotTell, Check, CheckContext, Waits};
use crate::deployment::AnyDeployment;
use crate::kept::Kept;
use crate::plan::{Plan, Severity};
use crate::report::words::chain;
use crate::report::{Outcome, Row};

/// Waits between two questions that could not be asked.
const FIRST_RETRY: Duration = Duration::from_secs(2);
const LONGEST_RETRY: Duration = Duration::from_secs(10);

/// No check is asked again sooner.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);

/// Where others wait, so long it is waited here all the same.
const MOMENT: Duration = Duration::from_secs(2);

/// Kept for one last look when the next would be too late.
const LAST_LOOK: Duration = Duration::from_secs(5);

/// Whether a check has stopped the deployment already, so that the others need not be waited for.
#[derive(Default)]
pub struct Stopped(watch::Sender<bool>);

/// What came of one check.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Its row.
    pub row: Row,
    /// When another invocation is to ask it again, where its answer is not the last.
    pub again_in: Option<Duration>,
    /// What that one must know.
    pub remembered: Option<Value>,
}

impl From<Row> for Asked {
    fn from(row: Row) -> Self {
        Self { row, again_in: None, remembered: None }
    }
}

/// One row for every check, in their order. The plan says which of them only advise; it may become known meanwhile. The
/// checks that are asked beside these share `stopped`. What an earlier invocation has kept is not asked again.
pub async fn ask_all<D: AnyDeployment>(
    checks: &[Box<dyn Check<D>>],
    context: &CheckContext<D>,
    plan: &SetOnce<Plan>,
    stopped: &Stopped,
    kept: &Kept,
) -> Vec<Asked> {
    join_all(checks.iter().map(|check| ask(check.as_ref(), context, plan, &stopped.0, kept))).await
}

/// Asks one check, and tells the others when it has stopped the deployment.
async fn ask<D: AnyDeployment>(
    check: &dyn Check<D>,
    context: &CheckContext<D>,
    plan: &SetOnce<Plan>,
    stopped: &watch::Sender<bool>,
    kept: &Kept,
) -> Asked {
    let (row, end) = ask_until(check, context, stopped, kept).await;
    let advisory = plan.wait().await.severity(&row.id) == Severity::Advisory;
    if end == End::Stops && !advisory {
        stopped.send_replace(true);
    }
    let (again_in, remembered) = match end {
        End::Elsewhere(again_in) => (Some(again_in), remembered(check).filter(|it| !it.is_null())),
        End::Open | End::Stops => (None, None),
    };
    Asked { row: Row { advisory, ..row }, again_in, remembered }
}

/// What a check's last answer means for the others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nothing: it passed, or nothing is waited for any more.
    Open,
    /// The deployment stops, unless the check only advises.
    Stops,
    /// It is to be asked again in another invocation, after this long.
    Elsewhere(Duration),
}

/// What another invocation must know of this check, where one may go on.
fn remembered<D: AnyDeployment>(check: &dyn Check<D>) -> Option<Value> {
    guarded(|| check.remember()).flatten()
}

/// What this gives, unless it panics.
fn guarded<T>(ask: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(AssertUnwindSafe(ask)).ok()
}

/// Asks one check until it has answered for good, the time is over, or waiting has become pointless.
async fn ask_until<D: AnyDeployment>(
    check: &dyn Check<D>,
    context: &CheckContext<D>,
    stopped: &watch::Sender<bool>,
    kept: &Kept,
) -> (Row, End) {
    let started = Instant::now();
    let told = std::panic::catch_unwind(AssertUnwindSafe(|| (check.id().to_owned(), check.question())));
    let (id, question) = match told {
        Ok(told) => told,
        // Whatever it would answer: nobody knows to which question.
        Err(panic) => return (nameless(&panic_text(panic.as_ref()), started.elapsed()), End::Stops),
    };
    let row = |outcome, evidence: String, remedy: Option<String>| Row {
        id: id.clone(),
        question: question.clone(),
        outcome,
        evidence,
        remedy,
        took: started.elapsed(),
        advisory: false,
    };
    let is_kept = || guarded(|| !check.is_asked_anew()).unwrap_or(false);
    if let Some(evidence) = kept.passed(&id).filter(|_| is_kept()) {
        return (row(Outcome::Passed, evidence.to_owned(), None), End::Open);
    }
    if let Some(remembered) = kept.remembered(&id) {
        guarded(|| check.recall(remembered));
    }
    let end = context.deadline.questions_end;
    let mut retry = FIRST_RETRY;
    let mut pending: Option<Pending> = None;
    loop {
        let answer = timeout_at(end, AssertUnwindSafe(check.ask(context)).catch_unwind()).await;
        let (next, wait) = match answer {
            Err(_) => {
                let before = pending.map(|before| format!("; before that: {}", before.evidence)).unwrap_or_default();
                let evidence = format!("no answer in {}{before}", seconds(started.elapsed()));
                return (row(Outcome::CannotTell, evidence, Some(OUT_OF_TIME.to_owned())), End::Open);
            }
            Ok(Err(panic)) => {
                let evidence = format!("the check itself broke: {}", panic_text(panic.as_ref()));
                return (row(Outcome::CannotTell, evidence, Some(BROKEN.to_owned())), End::Stops);
            }
            Ok(Ok(Ok(Answer::Yes { evidence }))) => return (row(Outcome::Passed, evidence, None), End::Open),
            Ok(Ok(Ok(Answer::No { evidence, remedy }))) => {
                return (row(Outcome::Failed, evidence, Some(remedy)), End::Stops);
            }
            Ok(Ok(Ok(Answer::NotYet { evidence, again_in, remedy }))) => {
                retry = FIRST_RETRY;
                (Pending { outcome: Outcome::NotYet, evidence, remedy }, again_in.max(SHORTEST_WAIT))
            }
            Ok(Ok(Err(error))) => {
                let pending = Pending::unanswered(&error);
                if !error.transient {
                    return (row(pending.outcome, pending.evidence, Some(pending.remedy)), End::Stops);
                }
                let wait = retry;
                retry = (retry * 2).min(LONGEST_RETRY);
                (pending, wait)
            }
        };
        // What cannot be told is no progress: no other invocation waits for it.
        let only_here = next.outcome == Outcome::CannotTell || remembered(check).is_none();
        let waits = if only_here { Waits::Here } else { context.waits };
        match wait_for(wait, started + MOMENT, waits, context.deadline.questions_end, stopped).await {
            Wait::Over => pending = Some(next),
            Wait::Elsewhere => return (row(next.outcome, next.evidence, Some(next.remedy)), End::Elsewhere(wait)),
            Wait::TooLate => {
                let evidence = format!("{}, after {}", next.evidence, seconds(started.elapsed()));
                return (row(next.outcome, evidence, Some(next.remedy)), End::Open);
            }
            Wait::Pointless => {
                let evidence = format!("{}; not waited for, another check has stopped the deployment", next.evidence);
                return (row(next.outcome, evidence, Some(next.remedy)), End::Open);
            }
        }
    }
}

/// The row of a check that broke before it said what it is.
fn nameless(panic: &str, took: Duration) -> Row {
    Row {
        id: "unknown-check".to_owned(),
        question: "Is it known what this check asks?".to_owned(),
        outcome: Outcome::CannotTell,
        evidence: format!("the check itself broke before it was asked: {panic}"),
        remedy: Some("Report it with this line; the deployment may be started again.".to_owned()),
        took,
        advisory: false,
    }
}

const OUT_OF_TIME: &str = "Look at what it asks; if it only needs longer, raise the function's timeout.";
const BROKEN: &str = "Report it with this line; until it is mended make the check advisory in the plan.";

/// What is known while nothing is known for good.
struct Pending {
    outcome: Outcome,
    evidence: String,
    remedy: String,
}

impl Pending {
    fn unanswered(error: &CannotTell) -> Self {
        Self { outcome: Outcome::CannotTell, evidence: chain(error), remedy: error.remedy.clone() }
    }
}

/// How a wait ended.
enum Wait {
    /// It is time to ask again.
    Over,
    /// Another invocation is to ask again.
    Elsewhere,
    /// There is no time left to ask again.
    TooLate,
    /// The deployment stops anyway.
    Pointless,
}

/// Waits, but not longer than is left for one last look, nor once another check has stopped the deployment.
async fn wait_for(
    wait: Duration,
    moment_ends: Instant,
    waits: Waits,
    end: Instant,
    stopped: &watch::Sender<bool>,
) -> Wait {
    let now = Instant::now();
    if *stopped.borrow() {
        return Wait::Pointless;
    }
    match waits {
        Waits::Elsewhere { until } if now + wait > moment_ends => {
            return if now + wait < until { Wait::Elsewhere } else { Wait::TooLate };
        }
        Waits::ThenElsewhere { until } if now + wait >= end && now + wait < until => return Wait::Elsewhere,
        _ => {}
    }
    let last_look = end.checked_sub(LAST_LOOK).unwrap_or(now);
    let until = match now + wait {
        until if until < end => until,
        _ if last_look > now => last_look,
        _ => return Wait::TooLate,
    };
    let mut no = stopped.subscribe();
    tokio::select! {
        () = sleep_until(until) => Wait::Over,
        _ = no.wait_for(|no| *no) => Wait::Pointless,
    }
}

/// The text of a panic.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a text").to_owned()
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs().max(1))
}

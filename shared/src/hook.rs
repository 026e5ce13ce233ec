//! One invocation, from the event to exactly one answer, whatever happens in between: what errs, hangs or panics becomes
//! a row, and a row that did not pass becomes `Failed`.

use std::error::Error;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use serde_json::{Value, json};
use tokio::sync::SetOnce;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{error, info, warn};

use crate::answer::{self, Answers, Delivery, DeliveryError, deliver};
use crate::check::{Check, CheckContext};
use crate::deadline::Deadline;
use crate::deployment::{Deployment, DeploymentId};
use crate::discovery::{Deployments, DiscoveryError, Record};
use crate::event::{Event, EventError};
use crate::log;
use crate::plan::Plan;
use crate::plan_source::{Found, PlanLookupError, look_up};
use crate::ports::{Caller, Parameters, Ports};
use crate::redaction::{Guarded, Redactions};
use crate::report::words::chain;
use crate::report::{Outcome, Report, Row, Subject, Verdict};
use crate::run::{ask_all, panic_text};
use crate::stage::Stage;
use crate::watchdog::Watchdog;

/// Why the plan asks for what cannot be.
pub type PlanError = Box<dyn Error + Send + Sync>;

/// Checks, or what is wrong with the plan they are made from.
type Made = Result<Vec<Box<dyn Check>>, PlanError>;

/// The checks of a hook, in the order in which they are reported.
#[derive(Clone, Copy, Debug)]
pub enum Checks {
    /// The same for every deployment: asked while the plan, which only says which of them advise, is looked up.
    Fixed(fn() -> Vec<Box<dyn Check>>),
    /// Made from the plan.
    Planned(fn(&Plan) -> Made),
}

/// Makes a way to answer that shares nothing with any other.
pub type LastResort = Arc<dyn Fn() -> Result<Arc<dyn Answers>, PlanError> + Send + Sync>;

/// The world outside the function.
#[derive(Clone)]
pub struct Outside {
    /// Where deployments are looked up.
    pub deployments: Arc<dyn Deployments>,
    /// Where plans may lie.
    pub parameters: Arc<dyn Parameters>,
    /// Where answers go.
    pub answers: Arc<dyn Answers>,
    /// The same with connections of its own, for the watchdog: those of a thread that hangs, hang.
    pub last_resort: LastResort,
    /// What checks may ask, for this caller.
    pub ports: Arc<dyn Fn(Caller) -> Ports + Send + Sync>,
}

/// One hook: a stage, its checks, and the world it asks.
pub struct Hook {
    /// Where it stands.
    pub stage: Stage,
    /// What it asks.
    pub checks: Checks,
    /// Whom it asks.
    pub outside: Outside,
    /// The function's own plan.
    pub plan: Option<String>,
    /// The Region, for the command that delivers an answer by hand.
    pub region: String,
    /// Every secret that was read.
    pub redactions: Redactions,
}

/// Why the function itself fails.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// Nobody to answer.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The answer did not arrive.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
}

/// States from which no deployment comes back.
const OVER: [&str; 3] = ["Succeeded", "Failed", "Stopped"];

/// Pauses before asking AWS once more what it did not say.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// After this long, an alarm may have moved the traffic.
const STILL_TRUE: Duration = Duration::from_secs(5);

/// Taken from the reserve: the answer matters more than where the traffic is.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// A rollback is answered with what is known after this long: only its report would be better for more.
const ROLLBACK_PATIENCE: Duration = Duration::from_secs(4);

impl Hook {
    /// Handles one event with this much time left, and returns the report.
    pub async fn handle(&self, event: &Value, left: Duration) -> Result<Value, HookError> {
        let deadline = Deadline::after(left);
        let event = Event::read(event).inspect_err(|error| {
            error!(stage = %self.stage, "nobody can be answered: {error}; CodeDeploy waits up to an hour for an answer");
        })?;
        info!(
            deployment.id = %event.deployment,
            execution.id = %event.execution,
            stage = %self.stage,
            "{} is asked about {} (execution {})", self.stage.hook_name(), event.deployment, event.execution,
        );
        let watchdog = self.watchdog(&event, deadline);
        let started = Instant::now();
        let judged = AssertUnwindSafe(self.judge(&event.deployment, deadline, &watchdog)).catch_unwind();
        let judged = timeout_at(deadline.last_resort.min(deadline.questions_end + 2 * LOOK_AGAIN), judged).await;
        let (subject, plan, rows) = match judged {
            Ok(Ok(judged)) => (judged.subject, judged.plan, judged.rows),
            Ok(Err(panic)) => {
                let row = failed("hook-works", "Does the hook itself work?", panic_text(panic.as_ref()), BROKEN);
                (Subject::unknown(event.deployment.clone()), None, vec![row])
            }
            Err(_) => {
                let row = failed("hook-works", "Does the hook itself work?", "the time was over".to_owned(), BROKEN);
                (Subject::unknown(event.deployment.clone()), None, vec![row])
            }
        };
        let report = Report { stage: self.stage, subject, plan, rows, used: started.elapsed(), given: left };
        let (verdict, output) = self.tell(report);
        if !watchdog.claim() {
            error!(deployment.id = %event.deployment, "this report came too late: the watchdog has answered in its place");
            return Ok(output);
        }
        self.answer(&event, verdict, &deadline).await?;
        Ok(output)
    }

    /// Answers in this hook's place when it does not come to answer itself.
    fn watchdog(&self, event: &Event, deadline: Deadline) -> Watchdog {
        let (event, region, connect) = (event.clone(), self.region.clone(), self.outside.last_resort.clone());
        let name = self.stage.hook_name();
        Watchdog::start(deadline.last_resort.into_std(), move |verdict| {
            let (id, status) = (&event.deployment, answer::status(verdict));
            error!(
                deployment.id = %id,
                status,
                "STOP  {name}  {id}  the hook hangs: one of its checks does not give its thread back; the watchdog \
                 answers {status}. Look at the last lines before this one, and report them.",
            );
            let delivered = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(PlanError::from);
            let delivered = delivered.and_then(|runtime| {
                let answers = connect()?;
                Ok(runtime.block_on(deliver(answers.as_ref(), &event, verdict, &region, &deadline))?)
            });
            match delivered {
                Ok(_) => info!(deployment.id = %id, status, "CodeDeploy has taken the answer {status}"),
                Err(error) => {
                    let command = answer::command(&event, verdict, &region);
                    error!(deployment.id = %id, status, "ANSWER NOT DELIVERED: {error}; deliver it by hand: {command}");
                }
            }
        })
    }

    /// Writes the report. One that cannot be written stops the deployment: nobody would know why it went on.
    fn tell(&self, report: Report) -> (Verdict, Value) {
        let told = catch_unwind(AssertUnwindSafe(|| {
            let report = report.cleaned(&self.redactions);
            log::report(&report);
            (report.verdict(), report.json())
        }));
        told.unwrap_or_else(|panic| {
            let text = panic_text(panic.as_ref());
            error!("STOP: the report could not be written: {text}");
            (Verdict::Stop, json!({"verdict": "stop", "reason": "the report could not be written"}))
        })
    }

    async fn answer(&self, event: &Event, verdict: Verdict, deadline: &Deadline) -> Result<(), HookError> {
        let status = answer::status(verdict);
        match deliver(self.outside.answers.as_ref(), event, verdict, &self.region, deadline).await {
            Ok(Delivery::Delivered) => {
                info!(deployment.id = %event.deployment, status, "CodeDeploy has taken the answer {status}");
                Ok(())
            }
            Ok(Delivery::NotOurs) => {
                warn!(
                    deployment.id = %event.deployment,
                    status,
                    "CodeDeploy no longer waits for this answer ({status}): the event was answered before, timed out, or \
                     the deployment was stopped; which answer counted is seen in the deployment",
                );
                Ok(())
            }
            Err(error) => {
                error!(deployment.id = %event.deployment, status, "ANSWER NOT DELIVERED: {error}");
                Err(error.into())
            }
        }
    }

    /// All questions, from what is deployed to the last check.
    async fn judge(&self, id: &DeploymentId, deadline: Deadline, watchdog: &Watchdog) -> Judged {
        let mut judged = Judged { subject: Subject::unknown(id.clone()), plan: None, rows: Vec::new() };
        let deployment = match self.discover(id, deadline, &mut judged.subject).await {
            Ok(Some(deployment)) => Arc::new(deployment),
            Ok(None) => {
                watchdog.let_pass();
                return judged;
            }
            Err(row) => return judged.with(vec![row]),
        };
        let mut rows = Vec::new();
        match wired(self.stage, &deployment.events_in_progress) {
            Some(row) if row.outcome != Outcome::Passed => return judged.with(vec![row]),
            row => rows.extend(row),
        }
        let caller = Caller { hook: self.stage.hook_name(), deployment: id.clone() };
        let mut ports = (self.outside.ports)(caller);
        ports.secrets = Arc::new(Guarded::new(ports.secrets, self.redactions.clone()));
        let context = CheckContext { stage: self.stage, deployment, now: jiff::Timestamp::now(), deadline, ports };
        let started = Instant::now();
        match self.question(&context).await {
            Ok((source, asked)) => {
                judged.plan = Some(source);
                rows.extend(asked);
            }
            Err(row) => {
                rows.push(row);
                return judged.with(rows);
            }
        }
        if started.elapsed() > STILL_TRUE {
            judged.subject = look_again(&context).await.unwrap_or(judged.subject);
        }
        judged.with(rows)
    }

    /// The deployment; `None` when it is a rollback, about which nothing is asked.
    async fn discover(
        &self,
        id: &DeploymentId,
        deadline: Deadline,
        subject: &mut Subject,
    ) -> Result<Option<Deployment>, Row> {
        let record = self.known(deadline, || self.outside.deployments.record(id)).await?;
        *subject = Subject::recorded(&record);
        if subject.rollback.is_some() {
            let limit = deadline.questions_end.min(Instant::now() + ROLLBACK_PATIENCE);
            let described = AssertUnwindSafe(self.outside.deployments.describe(record)).catch_unwind();
            if let Ok(Ok(Ok(deployment))) = timeout_at(limit, described).await {
                *subject = Subject::described(&deployment);
            }
            return Ok(None);
        }
        if let Some(row) = over(&record) {
            return Err(row);
        }
        let deployment = self.known(deadline, || self.outside.deployments.describe(record.clone())).await?;
        *subject = Subject::described(&deployment);
        Ok(subject.rollback.is_none().then_some(deployment))
    }

    /// Asks until it is known, refused for good, or the time for questions is over.
    async fn known<T, F>(&self, deadline: Deadline, ask: impl Fn() -> F) -> Result<T, Row>
    where
        F: Future<Output = Result<T, DiscoveryError>>,
    {
        const ID: &str = "deployment-is-known";
        const QUESTION: &str = "Is it known what is deployed?";
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        let row = |outcome, evidence, remedy: &str| Row {
            outcome,
            took: started.elapsed(),
            ..failed(ID, QUESTION, evidence, remedy)
        };
        let mut before: Option<DiscoveryError> = None;
        loop {
            let asked = timeout_at(deadline.questions_end, AssertUnwindSafe(ask()).catch_unwind()).await;
            let error = match asked {
                Ok(Ok(Ok(known))) => return Ok(known),
                Ok(Ok(Err(error))) => error,
                Ok(Err(panic)) => return Err(row(Outcome::CannotTell, panic_text(panic.as_ref()), BROKEN)),
                Err(_) => {
                    let last = before.as_ref().map(|error| format!("; before that: {}", chain(error)));
                    let evidence = format!("AWS did not answer in time{}", last.unwrap_or_default());
                    return Err(row(Outcome::CannotTell, evidence, before.as_ref().map_or(UNREACHED, |e| e.remedy())));
                }
            };
            if !error.is_transient() || Instant::now() + pause >= deadline.questions_end {
                let outcome = match error {
                    DiscoveryError::Unanswered(_) => Outcome::CannotTell,
                    DiscoveryError::AppSpec(_) | DiscoveryError::Unfit { .. } => Outcome::Failed,
                };
                return Err(row(outcome, chain(&error), error.remedy()));
            }
            info!("asked again in {} ms: {}", pause.as_millis(), chain(&error));
            before = Some(error);
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Where the plan is, and a row for every check. A plan that cannot be had hides what was asked meanwhile: it stops
    /// the deployment, and what it would have made advisory is not known.
    async fn question(&self, context: &CheckContext) -> Result<(String, Vec<Row>), Row> {
        let known = SetOnce::new();
        let plan = async {
            let Found { plan, source } = self.plan(context).await?;
            known.set(plan).expect("the plan is looked up once");
            Ok(source)
        };
        match self.checks {
            Checks::Fixed(make) => {
                let checks = made("the checks", || Ok(make()))?;
                tokio::try_join!(plan, async { Ok(ask_all(&checks, context, &known).await) })
            }
            Checks::Planned(make) => {
                let asked = async {
                    let source = plan.await?;
                    let checks = made(&source, || make(known.get().expect("it was looked up")))?;
                    Ok((source, ask_all(&checks, context, &known).await))
                };
                let mut asked = pin!(asked);
                tokio::select! {
                    asked = &mut asked => asked,
                    () = self.look_ahead(context) => asked.await,
                }
            }
        }
    }

    /// Alarms are read beside the plan that says how long they are watched: the watch begins with an answer that is
    /// still fresh. A refusal is the check's to tell.
    async fn look_ahead(&self, context: &CheckContext) {
        let alarms = &context.deployment.alarms;
        if self.stage == Stage::AfterAllowTraffic && alarms.enabled && !alarms.names.is_empty() {
            let _ = AssertUnwindSafe(context.ports.alarms.states(&alarms.names)).catch_unwind().await;
        }
    }

    /// The plan, and where it was found.
    async fn plan(&self, context: &CheckContext) -> Result<Found, Row> {
        let CheckContext { deployment, deadline, ports, .. } = context;
        let started = Instant::now();
        let row =
            |outcome, evidence, remedy: &str| Row { took: started.elapsed(), ..unplanned(outcome, evidence, remedy) };
        let mut pause = FIRST_PAUSE;
        loop {
            let looked_up =
                look_up(deployment, ports.tasks.as_ref(), self.outside.parameters.as_ref(), self.plan.as_deref());
            let looked_up = timeout_at(deadline.questions_end, AssertUnwindSafe(looked_up).catch_unwind()).await;
            let unanswered = match looked_up {
                Ok(Ok(Ok(found))) => return Ok(found),
                Ok(Ok(Err(PlanLookupError::Unanswered(unanswered)))) => unanswered,
                Ok(Ok(Err(wrong))) => return Err(row(Outcome::Failed, chain(&wrong), CORRECT)),
                Ok(Err(panic)) => return Err(row(Outcome::CannotTell, panic_text(panic.as_ref()), BROKEN)),
                Err(_) => return Err(row(Outcome::CannotTell, "AWS did not answer in time".to_owned(), UNREACHED)),
            };
            if !unanswered.transient || Instant::now() + pause >= deadline.questions_end {
                return Err(row(Outcome::CannotTell, chain(&unanswered), &unanswered.remedy));
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// The checks, or the row that says why there are none.
fn made(source: &str, make: impl FnOnce() -> Made) -> Result<Vec<Box<dyn Check>>, Row> {
    match catch_unwind(AssertUnwindSafe(make)) {
        Ok(Ok(checks)) => Ok(checks),
        Ok(Err(error)) => Err(unplanned(Outcome::Failed, format!("{source}: {}", chain(error.as_ref())), CORRECT)),
        Err(panic) => Err(unplanned(Outcome::CannotTell, panic_text(panic.as_ref()), BROKEN)),
    }
}

/// It is not known what to ask.
fn unplanned(outcome: Outcome, evidence: String, remedy: &str) -> Row {
    Row { outcome, ..failed("plan-is-readable", "Is it known what to ask?", evidence, remedy) }
}

const BROKEN: &str = "Report it with this line; the deployment may be started again.";
const UNREACHED: &str = "Give the function a way to the AWS endpoints, or a longer timeout; then redeploy.";
const CORRECT: &str = "Correct the plan at the place that is named, then redeploy.";

/// Where the traffic is now, for a report that is written long after the deployment was looked up.
async fn look_again(context: &CheckContext) -> Option<Subject> {
    let mut deployment = Deployment::clone(&context.deployment);
    let asked = AssertUnwindSafe(context.ports.targets.listener(&deployment.production.arn)).catch_unwind();
    deployment.production = tokio::time::timeout(LOOK_AGAIN, asked).await.ok()?.ok()?.ok()?;
    Some(Subject::described(&deployment))
}

/// What is known when the questions are over.
struct Judged {
    subject: Subject,
    plan: Option<String>,
    rows: Vec<Row>,
}

impl Judged {
    fn with(self, rows: Vec<Row>) -> Self {
        Self { rows, ..self }
    }
}

/// CodeDeploy's event does not say which lifecycle event fired, but the deployment's target does. No word of it, no row.
fn wired(stage: Stage, in_progress: &[String]) -> Option<Row> {
    if in_progress.is_empty() {
        return None;
    }
    let now = in_progress.join(", ");
    let row = failed(
        "hook-is-wired-to-its-event",
        "Was this hook called at the event it is made for?",
        format!("CodeDeploy is at {now}; this function is made for {stage}"),
        &format!("In the AppSpec name this function under {stage}, and the one made for {now} there; redeploy."),
    );
    if in_progress.iter().any(|event| event == stage.event_name()) {
        let evidence = format!("CodeDeploy is at {stage}");
        return Some(Row { outcome: Outcome::Passed, evidence, remedy: None, ..row });
    }
    Some(row)
}

/// A late event: nothing may be done for a deployment that is over.
fn over(record: &Record) -> Option<Row> {
    OVER.contains(&record.status.as_str()).then(|| {
        failed(
            "deployment-is-running",
            "Is the deployment still running?",
            format!("deployment {} is {} already; the event came late", record.id, record.status),
            "Look at the deployment; redeploy if it is still wanted.",
        )
    })
}

fn failed(id: &str, question: &str, evidence: String, remedy: &str) -> Row {
    Row {
        id: id.to_owned(),
        question: question.to_owned(),
        outcome: Outcome::Failed,
        evidence,
        remedy: Some(remedy.to_owned()),
        took: Duration::ZERO,
        advisory: false,
    }
}

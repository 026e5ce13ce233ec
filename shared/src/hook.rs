//! One invocation, from the event to exactly one answer, whatever happens in between: what errs, hangs or panics becomes
//! a row, and a row that did not pass becomes `Failed`.

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
use crate::check::{Check, CheckContext, Waits};
use crate::deadline::Deadline;
use crate::deployment::{AnyDeployment, Deployed, Deployment, DeploymentId, FunctionDeployment};
use crate::discovery::{Deployments, DiscoveryError, NativeDeployments, Platform, Record};
use crate::event::{Event, EventError, LifecycleEvent};
use crate::kept::Kept;
use crate::log;
use crate::plan_source::{Found, PlanLookupError, look_up, look_up_of_function};
use crate::ports::{Caller, Parameters, Ports};
use crate::questions::{Checks, Made, OfFunctions, PlanError, Questions};
use crate::redaction::Redactions;
use crate::report::words::chain;
use crate::report::{Outcome, Report, Row, Subject, Verdict};
use crate::run::{Asked, Stopped, ask_all, panic_text};
use crate::stage::Stage;
use crate::watchdog::Watchdog;

mod later;
mod native;

pub use self::native::Waiting;
pub(crate) use self::native::answer_unasked;

/// Makes a way to answer that shares nothing with any other.
pub type LastResort = Arc<dyn Fn() -> Result<Arc<dyn Answers>, PlanError> + Send + Sync>;

/// The world outside the function.
#[derive(Clone)]
pub struct Outside {
    /// Where deployments are looked up.
    pub deployments: Arc<dyn Deployments>,
    /// The same of those that ECS carries out.
    pub native: Arc<dyn NativeDeployments>,
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
    pub checks: Questions,
    /// Whom it asks.
    pub outside: Outside,
    /// The function's own plan.
    pub plan: Option<String>,
    /// The Region, for the command that delivers an answer by hand.
    pub region: String,
    /// The function's own name, under which it calls itself again.
    pub function: Option<String>,
    /// Every secret that was read.
    pub redactions: Redactions,
    /// Deployments that are waited for.
    pub waiting: Waiting,
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

/// The watchdog that answers in the hook's place, and what came of it.
type Answering = Watchdog<Result<(), DeliveryError>>;

/// Pauses before asking AWS once more what it did not say.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// After this long, an alarm may have moved the traffic.
const STILL_TRUE: Duration = Duration::from_secs(5);

/// Taken from the reserve: the answer matters more than where the traffic is.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// A rollback is answered with what is known after this long: only its report would be better for more.
const ROLLBACK_PATIENCE: Duration = Duration::from_secs(4);

impl Hook {
    /// Handles one event with this much time left, and returns the report.
    pub async fn handle(&self, event: &Value, left: Duration) -> Result<Value, HookError> {
        let deadline = Deadline::after(left);
        if LifecycleEvent::is_one(event) {
            let event = LifecycleEvent::read(event).inspect_err(|error| {
                error!(stage = %self.stage, "nobody can be answered: {error}; ECS rolls back what calls a hook that fails");
            })?;
            return Ok(self.handle_native(&event, deadline, left).await);
        }
        let written = event;
        let event = Event::read(event).inspect_err(|error| {
            error!(stage = %self.stage, "nobody can be answered: {error}; CodeDeploy waits up to an hour for an answer");
        })?;
        info!(
            deployment.id = %event.deployment,
            execution.id = %event.execution,
            stage = %self.stage,
            "{} is asked about {} (execution {})", self.stage.hook_name(), event.deployment, event.execution,
        );
        let mut watchdog = self.watchdog(&event, deadline);
        let started = Instant::now();
        let id = &event.deployment;
        let judged = guarded(id, deadline, self.judge(id, written, deadline, &watchdog)).await;
        if later::again_in(&judged.rows).is_some()
            && watchdog.claim()
            && self.calls_again(id, written, &judged, &deadline).await
        {
            let report = judged.report(self.stage, started.elapsed(), left).cleaned(&self.redactions);
            info!(deployment.id = %id, "{}", report.waiting_line("this function has called itself to go on"));
            return Ok(json!({"verdict": "wait"}));
        }
        let (verdict, output) = self.tell(judged.report(self.stage, started.elapsed(), left));
        if !watchdog.claim() {
            error!(deployment.id = %event.deployment, "this report came too late: the watchdog answers in its place");
            // Until it has: returning freezes its thread. Where it could not, Lambda must know that this invocation failed.
            let given = watchdog.outcome().await;
            given.unwrap_or_else(|| {
                Err(DeliveryError::unsent(&event, Verdict::Stop, &self.region, "the watchdog broke".to_owned()))
            })?;
            return Ok(output);
        }
        give(self.outside.answers.as_ref(), &event, verdict, &self.region, &deadline).await?;
        Ok(output)
    }

    /// Answers in this hook's place when it does not come to answer itself.
    fn watchdog(&self, event: &Event, deadline: Deadline) -> Answering {
        let (event, region, connect) = (event.clone(), self.region.clone(), self.outside.last_resort.clone());
        let name = self.stage.hook_name();
        Watchdog::start(deadline.last_resort.into_std(), move |verdict| {
            let (id, status) = (&event.deployment, answer::status(verdict));
            error!(
                deployment.id = %id,
                status,
                "HANGS  {name}  {id}  one of the checks does not give the hook's thread back; the watchdog answers \
                 {status}. Look at the last lines before this one, and report them.",
            );
            let given = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(PlanError::from);
            let given = given.and_then(|runtime| Ok((runtime, connect()?)));
            match given {
                Ok((runtime, answers)) => runtime.block_on(give(answers.as_ref(), &event, verdict, &region, &deadline)),
                Err(error) => {
                    let error = DeliveryError::unsent(&event, verdict, &region, error.to_string());
                    error!(deployment.id = %id, status, "ANSWER NOT DELIVERED: {error}");
                    Err(error)
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

    /// All questions, from what is deployed to the last check.
    async fn judge(&self, id: &DeploymentId, event: &Value, deadline: Deadline, watchdog: &Answering) -> Judged {
        let mut judged = Judged::of(id.clone());
        let deployed = match self.discover(id, deadline, &mut judged.subject).await {
            Ok(Some(deployed)) => deployed,
            Ok(None) => {
                watchdog.let_pass();
                return judged;
            }
            Err(row) => return judged.with(row),
        };
        let before = match Kept::read(event, self.stage.event_name(), jiff::Timestamp::now()) {
            Ok(before) => before,
            Err(error) => return judged.with(later::unreadable(&error.to_string())),
        };
        match deployed {
            Deployed::Service(deployment) => self.judge_service(judged, *deployment, deadline, before).await,
            Deployed::Function(deployment) => self.judge_function(judged, *deployment, deadline, before).await,
        }
    }

    async fn judge_service(&self, judged: Judged, deployment: Deployment, deadline: Deadline, before: Kept) -> Judged {
        let started = Instant::now();
        let context = self.context(deployment, deadline, self.waits(&before));
        let (tasks, parameters) = (context.ports.tasks(), self.outside.parameters.as_ref());
        let plan = || look_up(&context.deployment, tasks, parameters, self.plan.as_deref());
        let mut judged = self.ask_about(judged, &context, &self.checks.service, plan, before).await;
        if started.elapsed() > STILL_TRUE {
            judged.subject = look_again(&context).await.unwrap_or(judged.subject);
        }
        judged
    }

    /// Where the alias leads is asked beside everything else: it is only told. Until it is known CodeDeploy's word counts.
    async fn judge_function(
        &self,
        judged: Judged,
        deployment: FunctionDeployment,
        deadline: Deadline,
        before: Kept,
    ) -> Judged {
        let Some(OfFunctions { checks, traffic: look, .. }) = &self.checks.function else {
            return judged.with(not_of_functions(self.stage, &deployment));
        };
        let started = Instant::now();
        let context = self.context(deployment, deadline, self.waits(&before));
        let parameters = self.outside.parameters.as_ref();
        let plan = || look_up_of_function(&context.deployment, parameters, self.plan.as_deref());
        let asked = self.ask_about(judged, &context, checks, plan, before);
        let (mut judged, mut traffic) = tokio::join!(asked, look(&context));
        if started.elapsed() > STILL_TRUE {
            traffic = look(&context).await.or(traffic);
        }
        if let Some(traffic) = traffic {
            judged.subject.traffic = traffic;
        }
        judged
    }

    fn context<D: AnyDeployment>(&self, deployment: D, deadline: Deadline, waits: Waits) -> CheckContext<D> {
        let caller = Caller { hook: self.stage.hook_name(), deployment: deployment.id().clone() };
        let ports = (self.outside.ports)(caller).guarded_by(self.redactions.clone());
        CheckContext {
            stage: self.stage,
            deployment: Arc::new(deployment),
            now: jiff::Timestamp::now(),
            deadline,
            waits,
            ports,
        }
    }

    async fn ask_about<D: AnyDeployment, F>(
        &self,
        mut judged: Judged,
        context: &CheckContext<D>,
        checks: &Checks<D>,
        look_up: impl Fn() -> F,
        before: Kept,
    ) -> Judged
    where
        F: Future<Output = Result<Found, PlanLookupError>>,
    {
        match wired(self.stage, context.deployment.events_in_progress()) {
            Some(row) if row.outcome != Outcome::Passed => return judged.with(row),
            row => judged.rows.extend(row.map(Asked::from)),
        }
        match self.question(context, checks, look_up, &before).await {
            Ok((source, asked)) => {
                judged.plan = Some(source);
                judged.rows.extend(asked);
                judged.kept = Some(before);
                judged
            }
            Err(row) => judged.with(row),
        }
    }

    /// The deployment; `None` when it is a rollback, about which nothing is asked.
    async fn discover(
        &self,
        id: &DeploymentId,
        deadline: Deadline,
        subject: &mut Subject,
    ) -> Result<Option<Deployed>, Row> {
        let record = self.known(deadline, || self.outside.deployments.record(id)).await?;
        *subject = Subject::recorded(&record);
        if subject.rollback.is_some() {
            let limit = deadline.questions_end.min(Instant::now() + ROLLBACK_PATIENCE);
            let described = AssertUnwindSafe(self.described(record)).catch_unwind();
            if let Ok(Ok(Ok(deployed))) = timeout_at(limit, described).await {
                *subject = Subject::deployed(&deployed);
            }
            return Ok(None);
        }
        if let Some(row) = over(&record) {
            return Err(row);
        }
        let deployed = self.known(deadline, || self.described(record.clone())).await?;
        *subject = Subject::deployed(&deployed);
        Ok(subject.rollback.is_none().then_some(deployed))
    }

    async fn described(&self, record: Record) -> Result<Deployed, DiscoveryError> {
        let deployments = &self.outside.deployments;
        match &record.platform {
            Platform::Ecs => Ok(Deployed::Service(Box::new(deployments.describe(record).await?))),
            Platform::Lambda => Ok(Deployed::Function(Box::new(deployments.describe_function(record).await?))),
            Platform::Other(name) => Err(DiscoveryError::unfit(
                format!("the deployment's compute platform is {name}, neither ECS nor Lambda"),
                "Name this hook only in AppSpec files of ECS services and Lambda functions.",
            )),
        }
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
    async fn question<D: AnyDeployment, F>(
        &self,
        context: &CheckContext<D>,
        checks: &Checks<D>,
        look_up: impl Fn() -> F,
        kept: &Kept,
    ) -> Result<(String, Vec<Asked>), Row>
    where
        F: Future<Output = Result<Found, PlanLookupError>>,
    {
        let known = SetOnce::new();
        let plan = async {
            let Found { plan, source } = found(context.deadline, look_up).await?;
            known.set(plan).expect("the plan is looked up once");
            Ok(source)
        };
        let stopped = Stopped::default();
        let fixed = made("the checks", || Ok((checks.fixed)()))?;
        let asked = async {
            let planned = async {
                let source = plan.await?;
                let planned = made(&source, || (checks.planned)(known.get().expect("it was looked up")))?;
                Ok((source, ask_all(&planned, context, &known, &stopped, kept).await))
            };
            let fixed = async { Ok(ask_all(&fixed, context, &known, &stopped, kept).await) };
            let (mut rows, (source, more)) = tokio::try_join!(fixed, planned)?;
            rows.extend(more);
            Ok((source, rows))
        };
        let ahead = AssertUnwindSafe((checks.ahead)(context)).catch_unwind();
        let mut asked = pin!(asked);
        tokio::select! {
            asked = &mut asked => asked,
            // A refusal is for the check to tell.
            _ = ahead => asked.await,
        }
    }
}

/// Delivers the answer, and says what became of it.
async fn give(
    answers: &dyn Answers,
    event: &Event,
    verdict: Verdict,
    region: &str,
    deadline: &Deadline,
) -> Result<(), DeliveryError> {
    let status = answer::status(verdict);
    match deliver(answers, event, verdict, region, deadline).await {
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
            Err(error)
        }
    }
}

/// The plan, and where it was found.
async fn found<F>(deadline: Deadline, look_up: impl Fn() -> F) -> Result<Found, Row>
where
    F: Future<Output = Result<Found, PlanLookupError>>,
{
    let started = Instant::now();
    let row = |outcome, evidence, remedy: &str| Row { took: started.elapsed(), ..unplanned(outcome, evidence, remedy) };
    let mut pause = FIRST_PAUSE;
    loop {
        let looked_up = timeout_at(deadline.questions_end, AssertUnwindSafe(look_up()).catch_unwind()).await;
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

/// The checks, or the row that says why there are none.
fn made<D: AnyDeployment>(source: &str, make: impl FnOnce() -> Made<D>) -> Result<Vec<Box<dyn Check<D>>>, Row> {
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
    let asked = AssertUnwindSafe(context.ports.targets().listener(&deployment.production.arn)).catch_unwind();
    let now = tokio::time::timeout(LOOK_AGAIN, asked).await.ok()?.ok()?.ok()?;
    deployment.production = now.narrowed(deployment.production.rule.as_deref());
    Some(Subject::described(&deployment))
}

/// What is known when the questions are over.
struct Judged {
    subject: Subject,
    plan: Option<String>,
    rows: Vec<Asked>,
    /// What earlier invocations knew, where checks were asked.
    kept: Option<Kept>,
}

impl Judged {
    fn of(id: DeploymentId) -> Self {
        Self { subject: Subject::unknown(id), plan: None, rows: Vec::new(), kept: None }
    }

    fn with(mut self, row: Row) -> Self {
        self.rows.push(row.into());
        self
    }

    fn report(self, stage: Stage, used: Duration, given: Duration) -> Report {
        let rows = self.rows.into_iter().map(|asked| asked.row).collect();
        Report { stage, subject: self.subject, plan: self.plan, rows, used, given }
    }
}

/// What comes of judging, or the row that says why nothing did.
async fn guarded(id: &DeploymentId, deadline: Deadline, judge: impl Future<Output = Judged>) -> Judged {
    let broken = |why| Judged::of(id.clone()).with(failed("hook-works", "Does the hook itself work?", why, BROKEN));
    let limit = deadline.last_resort.min(deadline.questions_end + 2 * LOOK_AGAIN);
    match timeout_at(limit, AssertUnwindSafe(judge).catch_unwind()).await {
        Ok(Ok(judged)) => judged,
        Ok(Err(panic)) => broken(panic_text(panic.as_ref())),
        Err(_) => broken("the time was over".to_owned()),
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

/// A stage that this platform does not have.
fn not_of_functions(stage: Stage, deployment: &FunctionDeployment) -> Row {
    let has = Stage::OF_FUNCTIONS.map(Stage::event_name).join(" and ");
    failed(
        "hook-is-wired-to-its-event",
        "Was this hook called at the event it is made for?",
        format!(
            "this function is made for {stage}, which the deployment of a Lambda function ({}) does not have",
            deployment.shift.invoked()
        ),
        &format!("Take this function out of the AppSpec; a Lambda function's deployment has {has}."),
    )
}

/// A late event: nothing may be done for a deployment that is over.
fn over(record: &Record) -> Option<Row> {
    record.is_over().then(|| {
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

//! Answers CodeDeploy in the place of a hook whose process died: killed at its timeout, out of memory, crashed, or without a way
//! to AWS. CodeDeploy would wait an hour for it.
//!
//! It never overrides an answer: CodeDeploy takes the first one, and refuses any other.

mod death;
mod last_words;

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use greenlight::answer::{self, Answers, Delivery};
use greenlight::aws::Aws;
use greenlight::deadline::Deadline;
use greenlight::deployment::DeploymentId;
use greenlight::discovery::Deployments;
use greenlight::event::Event;
use greenlight::ports::{LogStream, Logs};
use greenlight::redaction::Redactions;
use greenlight::report::Verdict;
use greenlight::report::words::chain;
use greenlight::serve::{Diagnostic, listen, refused, start};
use greenlight::{ServeError, Stage};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{error, info};

pub use self::death::{Asked, Death, Notice, Strange, read};
pub use self::last_words::LastWords;

/// Lines that are read of a stream.
const LINES: u16 = 10_000;
/// What is just written may take some seconds until it can be read.
const AGAIN: Duration = Duration::from_secs(2);
/// How long it may take to find out whether the deployment is a way back. Not knowing it, the answer is what the hook's would be.
const LOOK_UP: Duration = Duration::from_secs(5);

/// Whom it asks and answers.
#[derive(Clone)]
pub struct StandIn {
    /// Where deployments are looked up.
    pub deployments: Arc<dyn Deployments>,
    /// Where the lines of the hooks are.
    pub logs: Arc<dyn Logs>,
    /// Where answers go.
    pub answers: Arc<dyn Answers>,
    /// The Region, for the command that delivers an answer by hand.
    pub region: String,
}

/// Somebody is left without an answer: Lambda is to call again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unanswered(String);

/// Serves for as long as Lambda calls.
pub async fn serve() -> Result<(), ServeError> {
    let redactions = Redactions::default();
    let settings = start(&redactions);
    let stand_in = Aws::new(&settings).map(Arc::new).map(|aws| StandIn {
        deployments: aws.clone(),
        logs: aws.clone(),
        answers: aws,
        region: settings.region.clone().unwrap_or_default(),
    });
    let stand_in = &stand_in;
    listen(move |event: Value, left: Duration| async move {
        match stand_in {
            Ok(stand_in) => stand_in.handle(&event, left).await,
            Err(error) => {
                error!("nobody can be answered, AWS cannot be called: {}", chain(error));
                Err(refused("ConnectionError", error))
            }
        }
    })
    .await
}

impl StandIn {
    /// Answers for every death that the event tells of. Messages of the queue that it could not settle are returned in the form
    /// in which Lambda leaves them in the queue; what came from a log is an error, so that Lambda tries again.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>
    pub async fn handle(&self, event: &Value, left: Duration) -> Result<Value, Diagnostic> {
        let deadline = Deadline::after(left);
        let notices = read(event).map_err(|strange| {
            error!("{strange}");
            refused("Strange", &strange)
        })?;
        let settled = join_all(notices.iter().map(|notice| self.settle(notice, &deadline))).await;
        let (mut messages, mut unanswered) = (Vec::new(), Vec::new());
        for (notice, settled) in notices.iter().zip(settled) {
            let Err(why) = settled else { continue };
            match &notice.message {
                Some(id) => messages.push(json!({"itemIdentifier": id})),
                None => unanswered.push(why),
            }
        }
        if unanswered.is_empty() {
            return Ok(json!({ "batchItemFailures": messages }));
        }
        Err(refused("Unanswered", &Unanswered(unanswered.join("; "))))
    }

    /// `Err`: nobody has answered yet, and why.
    async fn settle(&self, notice: &Notice, deadline: &Deadline) -> Result<(), String> {
        let death = notice.death.as_ref().map_err(|why| {
            error!("NOBODY HAS ANSWERED: {why}");
            why.clone()
        })?;
        let Death { function, request, how, asked } = death;
        let last_words = match asked {
            Asked::Event { event, said } => match Event::read(event) {
                Ok(event) => LastWords::Asked(event, last_words::verdict(said)),
                Err(_) => LastWords::Nobody,
            },
            Asked::Log(stream) => self.last_words(stream, request, deadline).await,
        };
        match last_words {
            LastWords::Asked(event, decided) => self.answer(death, &event, decided, deadline).await,
            LastWords::Nobody => {
                info!("{function} {how}, and its event named nobody whom to answer (request {request})");
                Ok(())
            }
            LastWords::Unknown => {
                let why = format!(
                    "{function} {how} before it wrote whom it was asked about (request {request}); a deployment that it was \
                     called for waits up to an hour: look for one in progress, and stop it"
                );
                error!("NOBODY HAS ANSWERED: {why}");
                Err(why)
            }
        }
    }

    async fn last_words(&self, stream: &LogStream, request: &str, deadline: &Deadline) -> LastWords {
        loop {
            let lines = timeout_at(deadline.questions_end, self.logs.last_lines(stream, LINES)).await;
            match lines {
                Ok(Ok(lines)) => match last_words::of(&lines.unwrap_or_default(), request) {
                    LastWords::Unknown => {}
                    known => return known,
                },
                Ok(Err(unknown)) => info!("asked again: {}", chain(&unknown)),
                Err(_) => return LastWords::Unknown,
            }
            if Instant::now() + AGAIN >= deadline.questions_end {
                return LastWords::Unknown;
            }
            sleep(AGAIN).await;
        }
    }

    async fn answer(
        &self,
        death: &Death,
        event: &Event,
        decided: Option<Verdict>,
        deadline: &Deadline,
    ) -> Result<(), String> {
        let Death { function, request, how, .. } = death;
        let id = &event.deployment;
        let standing = self.standing(id, deadline).await;
        let (verdict, why) = match (&standing, decided) {
            (Standing::Over(status), _) => {
                info!(deployment.id = %id, "{function} {how}; {id} is {status} already, nobody waits for an answer");
                return Ok(());
            }
            (Standing::WayBack, _) => (Verdict::Proceed, "it is a rollback, and the way back stays open"),
            (Standing::Running, Some(Verdict::Proceed)) => (Verdict::Proceed, "every check had said yes"),
            (Standing::Running, _) => (Verdict::Stop, traffic(function)),
        };
        let status = answer::status(verdict);
        let said = format!("report-failure  {id}  {function} {how} (request {request})");
        match answer::deliver(self.answers.as_ref(), event, verdict, &self.region, deadline).await {
            Ok(Delivery::Delivered) => {
                let place = format!("its last lines are in /aws/lambda/{function}");
                match verdict {
                    Verdict::Proceed => {
                        info!(deployment.id = %id, status, "GO  {said}; answered {status} in its place: {why}; {place}");
                    }
                    Verdict::Stop => {
                        error!(deployment.id = %id, status, "STOP  {said}; answered {status} in its place: {why}; {place}");
                    }
                }
                Ok(())
            }
            Ok(Delivery::NotOurs) => {
                info!(deployment.id = %id, "{said}; CodeDeploy waits for no answer, it had one or was stopped");
                Ok(())
            }
            Err(error) => {
                error!(deployment.id = %id, status, "ANSWER NOT DELIVERED: {said}: {error}");
                Err(error.to_string())
            }
        }
    }

    /// Asks until it is known, for a short time.
    async fn standing(&self, id: &DeploymentId, deadline: &Deadline) -> Standing {
        let end = deadline.questions_end.min(Instant::now() + LOOK_UP);
        loop {
            let record = timeout_at(end, self.deployments.record(id)).await;
            match record {
                Ok(Ok(record)) if record.is_over() => return Standing::Over(record.status),
                Ok(Ok(record)) if record.automatic_rollback().is_some() => return Standing::WayBack,
                Ok(Ok(_)) | Err(_) => return Standing::Running,
                Ok(Err(error)) if error.is_transient() && Instant::now() + AGAIN < end => sleep(AGAIN).await,
                Ok(Err(error)) => {
                    info!(deployment.id = %id, "it is not known whether {id} is a rollback: {}", chain(&error));
                    return Standing::Running;
                }
            }
        }
    }
}

/// Where a deployment is.
enum Standing {
    /// It runs, or nobody knows.
    Running,
    /// CodeDeploy goes back to blue with it.
    WayBack,
    /// It is over.
    Over(String),
}

/// Where the traffic is once this function's deployment is stopped.
fn traffic(function: &str) -> &'static str {
    let of = |stage: Stage| function.ends_with(stage.hook_name());
    if of(Stage::AfterAllowTraffic) {
        "traffic is on green, and goes back to blue where the deployment group rolls back"
    } else if of(Stage::BeforeAllowTraffic) {
        "traffic stays on blue; the next deployment goes on with the migrations where this one was cut"
    } else {
        "traffic stays on blue"
    }
}

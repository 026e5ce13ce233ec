//! One invocation by ECS: the answer is what the function returns, and what is not so yet is asked again in a later one.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/lambda-lifecycle-hooks.html>

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::info;

use super::later::{again_in, patience_ends, unreadable};
use super::{Hook, Judged, STILL_TRUE, failed, guarded, look_again};
use crate::check::Waits;
use crate::deadline::Deadline;
use crate::deployment::{Deployment, DeploymentId, Rollback};
use crate::discovery::NativeRecord;
use crate::event::{LifecycleEvent, ServiceDeploymentArn};
use crate::kept::Kept;
use crate::lifecycle_stage::LifecycleStage;
use crate::plan_source::{Found, look_up};
use crate::report::traffic::Traffic;
use crate::report::words::one_line;
use crate::report::{Outcome, Row, Subject, Verdict};
use crate::stage::Stage;

/// ECS calls again no sooner and no later than this. Its own pause is half a minute.
const CALL_BACK: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Deployments that are kept in mind while they are waited for, and for how long.
const KNOWN: usize = 32;
const KNOWN_FOR: SignedDuration = SignedDuration::from_mins(10);

/// Deployments that this process knows from an earlier call of the same wait, so that asking again costs only what is
/// asked again. Not from `hookDetails`: those are written by whoever may change the service, and addresses must not be.
#[derive(Debug, Default)]
pub struct Waiting(Mutex<Vec<Entry>>);

#[derive(Clone, Debug)]
struct Entry {
    about: About,
    deployment: Deployment,
    plan: Option<Found>,
    at: Timestamp,
}

/// What is asked about: a stage of a deployment, and of one that comes again a step.
#[derive(Clone, Debug, PartialEq)]
struct About {
    arn: String,
    stage: LifecycleStage,
    green_percent: Option<f64>,
}

impl About {
    fn words(&self) -> String {
        let Self { stage, green_percent, .. } = self;
        match green_percent {
            Some(percent) => format!("{stage} at {percent} %"),
            None => stage.to_string(),
        }
    }
}

impl Waiting {
    fn find(&self, about: &About, now: Timestamp) -> Option<Entry> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| entry.at + KNOWN_FOR > now);
        entries.iter().find(|entry| entry.about == *about).cloned()
    }

    fn keep(&self, entry: Entry) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|it| it.about.arn != entry.about.arn);
        if entries.len() == KNOWN {
            entries.remove(0);
        }
        entries.push(entry);
    }

    fn forget(&self, arn: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|it| it.about.arn != arn);
    }
}

impl Hook {
    /// Handles an event of ECS, and returns its answer.
    pub(super) async fn handle_native(&self, event: &LifecycleEvent, deadline: Deadline, left: Duration) -> Value {
        let name = self.stage.hook_name();
        let arn = ServiceDeploymentArn::parse(&event.deployment);
        let id = DeploymentId(arn.as_ref().map_or_else(|| one_line(&event.deployment, 200), |arn| arn.id.clone()));
        let (at, execution) =
            (one_line(&event.stage, 60), one_line(event.execution.as_deref().unwrap_or("unnamed"), 80));
        info!(deployment.id = %id, execution.id = execution, stage = at, "{name} is asked about {id} at {at} (execution {execution})");
        let started = Instant::now();
        let mut judged = guarded(&id, deadline, self.judge_native(event, arn.as_ref(), &id, deadline)).await;
        if let Some(again_in) = again_in(&judged.rows)
            && let Some(mut kept) = judged.kept.take()
        {
            self.keep(&judged.rows, &mut kept);
            let again_in = again_in.clamp(CALL_BACK.0, CALL_BACK.1);
            let seconds = again_in.as_millis().div_ceil(1000);
            let report = judged.report(self.stage, started.elapsed(), left).cleaned(&self.redactions);
            info!(deployment.id = %id, status = "IN_PROGRESS", "{}", report.waiting_line(&format!("asked again in {seconds} s")));
            return json!({"hookStatus": "IN_PROGRESS", "callBackDelay": seconds, "hookDetails": kept.details()});
        }
        if let Some(arn) = &arn {
            self.waiting.forget(&arn.arn);
        }
        let (verdict, _) = self.tell(judged.report(self.stage, started.elapsed(), left));
        let status = match verdict {
            Verdict::Proceed => "SUCCEEDED",
            Verdict::Stop => "FAILED",
        };
        info!(deployment.id = %id, status, "ECS is answered {status}");
        json!({ "hookStatus": status })
    }

    async fn judge_native(
        &self,
        event: &LifecycleEvent,
        arn: Option<&ServiceDeploymentArn>,
        id: &DeploymentId,
        deadline: Deadline,
    ) -> Judged {
        let mut judged = Judged::of(id.clone());
        let Some(arn) = arn else { return judged.with(no_service_deployment(&event.deployment)) };
        judged.subject.service = Some(format!("{}/{}", arn.cluster, arn.service));
        let stage = LifecycleStage::named(&event.stage);
        let record = match self.known(deadline, || self.outside.native.native_record(arn)).await {
            Ok(record) => record,
            Err(row) => {
                // Nobody else would say so in time, and a way back is never blocked.
                if stage == Some(LifecycleStage::ProductionTrafficShift) && event.production_is_off_green() {
                    judged.subject.rollback = Some(Rollback::Automatic { of: Some(id.clone()) });
                }
                return judged.with(row);
            }
        };
        judged.subject.rollback = record.rollback();
        if judged.subject.rollback.is_some() {
            return judged;
        }
        if let Some(row) = over(&record) {
            return judged.with(row);
        }
        let stage = match wired(self.stage, stage, &event.stage) {
            Ok(stage) => stage,
            Err(row) => return judged.with(row),
        };
        let now = Timestamp::now();
        let about = About { arn: arn.arn.clone(), stage, green_percent: record.green_percent };
        let before = match Kept::read(&event.hook_details, &about.words(), now) {
            Ok(before) => before,
            Err(error) => return judged.with(unreadable(&error.to_string())),
        };
        let waited_for = before.since() < now;
        let entry = self.waiting.find(&about, now).filter(|_| waited_for);
        let (deployment, plan) = match entry {
            Some(entry) => (entry.deployment, entry.plan),
            None => match self.known(deadline, || self.outside.native.describe_native(record.clone(), stage)).await {
                Ok(deployment) => (deployment, None),
                Err(row) => return judged.with(row),
            },
        };
        judged.subject = Subject::described(&deployment);
        if judged.subject.rollback.is_some() {
            return judged;
        }
        let by_ecs = event.green_percent().or(record.green_percent);
        if let Some(row) = answered_by_the_step(self.stage, &deployment, stage, by_ecs) {
            return judged.with(row);
        }
        let started = Instant::now();
        let context =
            self.context(deployment.clone(), deadline, Waits::Elsewhere { until: patience_ends(before.since()) });
        let (tasks, parameters) = (context.ports.tasks(), self.outside.parameters.as_ref());
        let found = Mutex::new(plan.clone());
        let look = || async {
            if let Some(plan) = &plan {
                return Ok(plan.clone());
            }
            let looked_up = look_up(&context.deployment, tasks, parameters, self.plan.as_deref()).await?;
            found.lock().unwrap_or_else(PoisonError::into_inner).replace(looked_up.clone());
            Ok(looked_up)
        };
        let mut judged = self.ask_about(judged, &context, &self.checks.service, look, before).await;
        if again_in(&judged.rows).is_some() {
            let plan = found.into_inner().unwrap_or_else(PoisonError::into_inner);
            self.waiting.keep(Entry { about, deployment, plan, at: now });
        } else if started.elapsed() > STILL_TRUE || waited_for {
            judged.subject = look_again(&context).await.unwrap_or(judged.subject);
        }
        judged
    }
}

/// What ECS is answered where AWS cannot be called: the answer takes no call. `None` for the events of others.
pub(crate) fn answer_unasked(event: &Value) -> Option<Value> {
    let event = LifecycleEvent::read(event).ok().filter(|_| LifecycleEvent::is_one(event))?;
    let shifts = LifecycleStage::named(&event.stage) == Some(LifecycleStage::ProductionTrafficShift);
    let status = if shifts && event.production_is_off_green() { "SUCCEEDED" } else { "FAILED" };
    Some(json!({ "hookStatus": status }))
}

/// Before a step there is nothing to ask for those who asked before the first, nor for those who judge what users are on.
/// Only where the rule and ECS say the same: somebody else may have changed the rule.
fn answered_by_the_step(stage: Stage, deployment: &Deployment, at: LifecycleStage, by_ecs: Option<f64>) -> Option<Row> {
    if at != LifecycleStage::PreProductionTrafficShift {
        return None;
    }
    let (on_green, on_blue) = match Traffic::of(deployment) {
        Traffic::Split { .. } | Traffic::Green(_) => (by_ecs.is_some_and(|percent| percent > 0.0), false),
        Traffic::Blue(_) => (false, by_ecs.is_none_or(|percent| percent <= 0.0)),
        Traffic::Alias { .. } | Traffic::Unknown => (false, false),
    };
    let evidence = match stage {
        Stage::BeforeAllowTraffic if on_green => "users are on green already: this was asked before the first step",
        Stage::AfterAllowTraffic if on_blue => "no user is on green before the first step",
        _ => return None,
    };
    let row = failed("step-needs-no-answer", "Is there nothing to ask before this step?", evidence.to_owned(), "");
    Some(Row { outcome: Outcome::Passed, remedy: None, ..row })
}

/// The stage, or that this hook does not belong there.
fn wired(stage: Stage, at: Option<LifecycleStage>, name: &str) -> Result<LifecycleStage, Row> {
    let belongs: Vec<&str> = stage.native_stages().iter().map(|it| it.name()).collect();
    let belongs = belongs.join(" or ");
    if let Some(at) = at.filter(|at| stage.native_stages().contains(at)) {
        return Ok(at);
    }
    let evidence = match at {
        Some(at) => format!("ECS is at {at}; {} belongs to {belongs}", stage.hook_name()),
        None => format!("ECS is at \"{}\", a stage that greenlight does not know", one_line(name, 60)),
    };
    let remedy =
        format!("In the service's lifecycleHooks name {belongs} as the stage of this function; then deploy again.");
    Err(failed("hook-is-wired-to-its-event", "Was this hook called at the event it is made for?", evidence, &remedy))
}

fn no_service_deployment(arn: &str) -> Row {
    failed(
        "deployment-is-known",
        "Is it known what is deployed?",
        format!("resourceArn is \"{}\", not the ARN of a service deployment", one_line(arn, 200)),
        "Switch the account to ECS's long ARNs, and name this function only in lifecycleHooks of services.",
    )
}

fn over(record: &NativeRecord) -> Option<Row> {
    record.is_over().then(|| {
        failed(
            "deployment-is-running",
            "Is the deployment still running?",
            format!("service deployment {} is {} already; the event came late", record.arn.id, record.status),
            "Look at the deployment; deploy again if it is still wanted.",
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::answer_unasked;

    const ARN: &str = "arn:aws:ecs:eu-central-1:123456789012:service-deployment/shop/orders/ejGvqq2ilnbKT9qj0vLJe";

    #[test]
    fn ecs_is_answered_also_where_aws_cannot_be_called_and_a_way_back_is_not_blocked() {
        let event = |stage: &str, green: u32| {
            json!({"resourceArn": ARN, "lifecycleStage": stage, "executionDetails": {
                "targetServiceRevisionArn": "green", "productionTrafficWeights": {"green": green, "blue": 100 - green}}})
        };
        let answer = |event| answer_unasked(&event).map(|it| it["hookStatus"].as_str().unwrap_or_default().to_owned());
        assert_eq!(answer(event("POST_SCALE_UP", 0)).as_deref(), Some("FAILED"));
        assert_eq!(answer(event("PRODUCTION_TRAFFIC_SHIFT", 10)).as_deref(), Some("FAILED"));
        assert_eq!(answer(event("PRODUCTION_TRAFFIC_SHIFT", 0)).as_deref(), Some("SUCCEEDED"));
        assert_eq!(answer(json!({"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "e-1"})), None);
        assert_eq!(answer(json!({"lifecycleStage": "POST_SCALE_UP"})), None, "it names no deployment");
    }
}

//! `requests-pass`

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;

use super::judging::{self, Cause, Unfit, judge};
use super::sending;
use super::words::{cannot_tell, count, port, without_test_listener};
use crate::check::{Answer, CannotTell, Check, CheckContext};
use crate::deployment::{AnyDeployment as _, Listener};
use crate::document::names_a_secret;
use crate::plan::{Plan, PlannedSecret, Request, Values, plain_text};
use crate::ports::{ProbeResponse, Secret};

/// How often a GET or HEAD is sent at most when the load balancer, not the application, fails it.
const EDGE_ATTEMPTS: u32 = 5;

/// Pause between two attempts.
const SEND_AGAIN: Duration = Duration::from_secs(1);

/// The requests of the plan, in order, are answered as it expects.
///
/// Without a plan: `/health` must answer 2xx, then `/ready` where it exists (404 means that it does not).
pub struct RequestsPass {
    requests: Vec<Step>,
    host: Option<String>,
    secrets: BTreeMap<String, PlannedSecret>,
    on: On,
    progress: Mutex<Option<Progress>>,
}

/// Which listener is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    Test,
    Production,
}

/// A request, and whether it is one of those that are sent without a plan.
struct Step {
    request: Request,
    is_default: bool,
    may_be_missing: bool,
}

/// How far earlier questions came.
#[derive(Clone)]
struct Progress {
    next: usize,
    attempts: u32,
    /// How often in a row the present request was answered as expected.
    in_a_row: u32,
    values: Values,
    passed: usize,
    told: Vec<String>,
}

impl RequestsPass {
    /// Asks green on the test listener: the plan's `test_traffic.requests`.
    pub fn on_test(plan: &Plan) -> Self {
        Self::new(plan, plan.test_traffic.requests.as_deref(), On::Test)
    }

    /// Asks on the production listener: the plan's `production.requests`.
    pub fn on_production(plan: &Plan) -> Self {
        Self::new(plan, plan.production.requests.as_deref(), On::Production)
    }

    fn new(plan: &Plan, planned: Option<&[Request]>, on: On) -> Self {
        let requests = match planned {
            Some(requests) => requests
                .iter()
                .map(|request| Step { request: request.clone(), is_default: false, may_be_missing: false })
                .collect(),
            None => vec![
                Step { request: Request::get("/health"), is_default: true, may_be_missing: false },
                Step { request: Request::get("/ready"), is_default: true, may_be_missing: true },
            ],
        };
        let host = plan.test_traffic.host.clone();
        Self { requests, host, secrets: plan.secrets.clone(), on, progress: Mutex::new(None) }
    }

    fn keep(&self, progress: Progress) {
        *self.progress.lock().expect("nothing panics while it holds the progress") = Some(progress);
    }

    async fn kept(&self, context: &CheckContext) -> Result<Progress, CannotTell> {
        let kept = self.progress.lock().expect("nothing panics while it holds the progress").take();
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let requests = self.requests.iter().map(|step| &step.request);
        let values = sending::values(context, &self.secrets, requests).await?;
        Ok(Progress { next: 0, attempts: 0, in_a_row: 0, values, passed: 0, told: Vec::new() })
    }

    /// What to say of a response that is not as expected: another attempt, or the end.
    fn unfit(&self, step: &Step, mut unfit: Unfit, mut progress: Progress) -> Result<Answer, CannotTell> {
        let request = &step.request;
        if step.is_default && !step.may_be_missing && unfit.cause == Cause::Application {
            unfit.remedy =
                format!("{} If the service has no {}, name its own requests in a plan.", unfit.remedy, request.path);
        }
        progress.attempts += 1;
        progress.in_a_row = 0;
        let allowed = match unfit.cause {
            Cause::Application => request.attempts,
            Cause::Edge | Cause::Nobody if request.is_safe() => request.attempts.max(EDGE_ATTEMPTS),
            Cause::Edge | Cause::Nobody => request.attempts,
        };
        let mut evidence = unfit.evidence;
        if progress.attempts > 1 {
            evidence.push_str(&format!(", attempt {} of {allowed}", progress.attempts));
        }
        if progress.passed > 0 {
            evidence.push_str(&format!("; before it {} passed", count(progress.passed, "request")));
        }
        if progress.attempts < allowed {
            self.keep(progress);
            return Ok(Answer::not_yet(evidence, SEND_AGAIN, unfit.remedy));
        }
        match unfit.cause {
            Cause::Nobody => Err(cannot_tell(evidence, unfit.remedy)),
            Cause::Application | Cause::Edge => Ok(Answer::no(evidence, unfit.remedy)),
        }
    }
}

#[async_trait]
impl Check for RequestsPass {
    fn id(&self) -> &'static str {
        "requests-pass"
    }

    fn question(&self) -> String {
        let names: Vec<&str> = self.requests.iter().map(|step| step.request.name.as_str()).collect();
        let listener = if self.on == On::Test { "test" } else { "production" };
        format!("Are these answered as expected on the {listener} listener: {}?", names.join(", "))
    }

    async fn ask(&self, context: &CheckContext) -> Result<Answer, CannotTell> {
        let deployment = &context.deployment;
        let listener: &Listener = match (self.on, &deployment.test) {
            (On::Production, _) => &deployment.production,
            (On::Test, Some(test)) => test,
            (On::Test, None) => {
                let or = deployment.terms().leave_hook_out;
                return Ok(without_test_listener(deployment, "nothing can be sent to green", or));
            }
        };
        let mut progress = self.kept(context).await?;
        while let Some(step) = self.requests.get(progress.next) {
            let request = &step.request;
            let response = sending::send(context, listener, self.host.as_deref(), request, &progress.values).await;
            if step.may_be_missing && response.as_ref().is_ok_and(|received| received.response.status == 404) {
                progress.told.push(format!("{} does not exist", request.name));
            } else {
                let response = match judge(request, listener, &response, &progress.values) {
                    Ok(response) => response,
                    Err(unfit) => return self.unfit(step, unfit, progress),
                };
                progress.in_a_row += 1;
                if progress.in_a_row < request.in_a_row {
                    if progress.attempts + 1 < request.attempts {
                        progress.attempts += 1;
                        continue;
                    }
                    return self.unfit(step, not_often_enough(request, progress.in_a_row), progress);
                }
                if let Err(unfit) = capture(request, response, &mut progress.values) {
                    return self.unfit(step, unfit, progress);
                }
                let took = response.took.as_millis();
                let often =
                    if request.in_a_row > 1 { format!(", {} times in a row", request.in_a_row) } else { String::new() };
                progress.told.push(format!("{} {} in {took} ms{often}", request.name, response.status));
                progress.passed += 1;
            }
            progress.next += 1;
            progress.attempts = 0;
            progress.in_a_row = 0;
        }
        let passed = count(progress.passed, "request");
        Ok(Answer::yes(format!("{passed} passed on {}: {}", port(listener), progress.told.join(", "))))
    }
}

/// Its last answers were as expected, but there are no attempts left for the others.
fn not_often_enough(request: &Request, times: u32) -> Unfit {
    Unfit {
        evidence: format!(
            "{} was answered as expected {times} of {} times in a row at the end",
            request.name, request.in_a_row
        ),
        remedy: format!("Find out in green's log why {} is not always answered as expected.", request.name),
        cause: Cause::Application,
    }
}

/// Takes the values that later requests use.
fn capture(request: &Request, response: &ProbeResponse, values: &mut Values) -> Result<(), Unfit> {
    if request.captures.is_empty() {
        return Ok(());
    }
    let body = serde_json::from_slice::<serde_json::Value>(&response.body).unwrap_or_default();
    let quoted = judging::body(response, values);
    for (name, path) in &request.captures {
        let found = path.find(&body).filter(|value| !value.is_null() && !value.is_object() && !value.is_array());
        let Some(found) = found else {
            let shown = if names_a_secret(name) { String::new() } else { format!(": {quoted}") };
            return Err(Unfit {
                evidence: format!(
                    "{} answered {} without a value at {path} to keep as {name}{shown}",
                    request.name, response.status
                ),
                remedy: format!("Correct the path of {name} in the plan, or the answer of {}.", request.name),
                cause: Cause::Application,
            });
        };
        if names_a_secret(name) || names_a_secret(&path.to_string()) {
            values.set_secret(name, &Secret::new(plain_text(found)));
        } else {
            values.set(name, found.clone());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

//! `load-holds`

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use super::judging::{judge, mismatch, of_load_balancer};
use super::proof::Proof;
use super::words::{cannot_tell, group, port, without_test_listener};
use super::{green, route, sending};
use crate::check::{Answer, CannotTell, Check, CheckContext};
use crate::deployment::Listener;
use crate::load::{Barrage, Tally};
use crate::plan::{Plan, PlannedLoad, PlannedSecret, Request, Values};
use crate::ports::{ProbeRequest, ProbeResponse};

/// Requests under way at once, each with a connection of its own: some ten megabytes.
const MOST_UNDER_WAY: usize = 256;

/// Longest wait for the answer to a request.
const PATIENCE: Duration = Duration::from_secs(10);

/// Time that is left for the last answers and the verdict.
const RESERVE: Duration = Duration::from_secs(2);

/// Green answers as fast and as well as the plan expects while requests arrive at the plan's rate.
///
/// Not asked without a plan: nobody but the team knows what its service has to hold.
pub struct LoadHolds {
    load: PlannedLoad,
    host: Option<String>,
    secrets: BTreeMap<String, PlannedSecret>,
    proof: Proof,
}

impl LoadHolds {
    /// Sends the plan's `test_traffic.load`, where there is one.
    pub fn from_plan(plan: &Plan) -> Option<Self> {
        Some(Self {
            load: plan.test_traffic.load.clone()?,
            host: plan.test_traffic.host.clone(),
            secrets: plan.secrets.clone(),
            proof: Proof::from_plan(plan),
        })
    }

    /// What keeps the load from being sent: it must reach green and nobody else, and one request of each kind must be
    /// answered as expected.
    async fn hindrance(
        &self,
        context: &CheckContext,
        test: &Listener,
        values: &Values,
    ) -> Result<Option<Answer>, CannotTell> {
        let green = green::known(context)?;
        let pair = route::pair(&context.deployment);
        let sends = format!("the test listener {} sends {}", port(test), route::shares(test, &pair));
        if !route::leads_only_to(test, &pair, &green.target_group_arn) {
            let name = group(&green.target_group_arn);
            let remedy = format!("Point every rule of the test listener for this service wholly at {name}.");
            return Ok(Some(self.proof.not_yet(format!("no load was sent: {sends}, expected all to {name}"), remedy)));
        }
        match self.proof.ask(context, test, &sends).await? {
            Answer::Yes { .. } => {}
            Answer::No { evidence, remedy } => return Ok(Some(Answer::no(unsent(&evidence), remedy))),
            Answer::NotYet { evidence, again_in, remedy } => {
                return Ok(Some(Answer::not_yet(unsent(&evidence), again_in, remedy)));
            }
        }
        for request in &self.load.requests {
            let received = sending::send(context, test, self.host.as_deref(), request, values).await;
            if let Err(unfit) = judge(request, test, &received, values) {
                return Ok(Some(self.proof.not_yet(unsent(&unfit.evidence), unfit.remedy)));
            }
        }
        Ok(None)
    }

    /// What is sent. A request is waited for as long as there is time, and no shorter than the plan's limits.
    fn barrage(&self, context: &CheckContext, test: &Listener, values: &Values, left: Duration) -> Barrage {
        let longest = self.load.course.percentiles.iter().map(|(_, limit)| limit.value.duration() * 2).max();
        let patience = PATIENCE.max(longest.unwrap_or_default()).min(left - self.load.course.lasts.duration());
        let prepared = |request: &Request| {
            let request = sending::prepared(context, test, self.host.as_deref(), request, values);
            ProbeRequest { timeout: patience, ..request }
        };
        Barrage {
            course: self.load.course.clone(),
            requests: self.load.requests.iter().map(prepared).collect(),
            most_under_way: MOST_UNDER_WAY,
        }
    }

    /// What is wrong with an answer, in the few words that are counted.
    fn fault(&self, number: usize, response: &ProbeResponse, values: &Values) -> Option<String> {
        let request = &self.load.requests[number];
        let status = response.status;
        if of_load_balancer(request, response).is_some() {
            return Some(format!("{status} of the load balancer itself"));
        }
        if !request.expect.status.contain(status) {
            return Some(format!("answered {status}"));
        }
        mismatch(request, response, None, values).map(|_| format!("{} not as expected", request.name))
    }

    fn verdict(&self, tally: &Tally) -> Result<Answer, CannotTell> {
        let course = &self.load.course;
        let evidence = self.evidence(tally);
        let too_many_errors = course
            .errors
            .is_some_and(|limit| !limit.holds(&tally.error_share()) && (tally.failed > 0 || !limit.inclusive));
        let too_slow = course.percentiles.iter().any(|(percentile, limit)| tally.breaks(*percentile, *limit));
        if too_slow && !too_many_errors && tally.late * 100 > tally.ended() {
            return Err(cannot_tell(
                format!(
                    "{evidence}; {} requests left more than 50 ms late: the function itself was too slow",
                    tally.late
                ),
                "Give the function more memory, and with it more CPU, or lower `test_traffic.load.rate`.",
            ));
        }
        if too_many_errors || too_slow {
            let what = if too_many_errors { "fails" } else { "is slow" };
            let remedy = format!(
                "Find out in green's log and metrics what {what} at {}, and whether blue holds it.",
                course.rate
            );
            return Ok(Answer::no(evidence, remedy));
        }
        if tally.ended() < course.fewest() {
            return Err(cannot_tell(
                format!("{evidence}; {} are too few to tell, it takes {}", tally.ended(), course.fewest()),
                "Raise `test_traffic.load.rate` or `for` in the plan, or the function's timeout.",
            ));
        }
        Ok(Answer::yes(evidence))
    }

    /// Counts and times, beside what the plan expects of them.
    fn evidence(&self, tally: &Tally) -> String {
        let course = &self.load.course;
        let mut parts = Vec::new();
        let faults: Vec<String> = tally.faults.iter().map(|(fault, times)| format!("{times} × {fault}")).collect();
        let faults = if faults.is_empty() { String::new() } else { format!(": {}", faults.join(", ")) };
        let expected = course.errors.map(|limit| format!(", expected {limit}")).unwrap_or_default();
        parts.push(format!("{} failed ({:.2} %{expected}){faults}", tally.failed, tally.error_share().percent()));
        for (percentile, limit) in &course.percentiles {
            let seen = match tally.percentile(*percentile) {
                Some(time) => format!("{} ms", time.as_millis()),
                None => "never".to_owned(),
            };
            parts.push(format!("{} {seen} (expected {limit})", percentile.name()));
        }
        if tally.answered > 0 {
            parts.push(format!("longest {} ms", tally.longest().as_millis()));
        }
        if tally.waited > 0 {
            parts.push(format!("{} waited because {} were under way", tally.waited, tally.most_under_way));
        }
        let sent = if tally.cut_short {
            format!("stopped for certain after {} of {} requests at {}", tally.ended(), tally.planned, course.rate)
        } else {
            format!("{} requests at {} for {}", tally.ended(), course.rate, course.lasts)
        };
        format!("{sent}: {}", parts.join(", "))
    }
}

fn unsent(evidence: &str) -> String {
    format!("no load was sent: {evidence}")
}

#[async_trait]
impl Check for LoadHolds {
    fn id(&self) -> &'static str {
        "load-holds"
    }

    fn question(&self) -> String {
        format!("Does green hold {} for {}?", self.load.course.rate, self.load.course.lasts)
    }

    async fn ask(&self, context: &CheckContext) -> Result<Answer, CannotTell> {
        let deployment = &context.deployment;
        let Some(test) = &deployment.test else {
            let (what, or) = ("no load can be sent to green", "take `load` out of the plan");
            return Ok(without_test_listener(deployment, what, or));
        };
        let lasts = self.load.course.lasts;
        let values = sending::values(context, &self.secrets, self.load.requests.iter()).await?;
        let test = route::now(context, test).await?;
        if let Some(answer) = self.hindrance(context, &test, &values).await? {
            return Ok(answer);
        }
        let left = context.deadline.left_for_questions().saturating_sub(RESERVE);
        if left < lasts.duration() + RESERVE {
            return Err(cannot_tell(
                format!("a load for {lasts}: the function ends in {} s", left.as_secs()),
                "Raise the function's timeout above `test_traffic.load.for`, or shorten that.",
            ));
        }
        let barrage = self.barrage(context, &test, &values, left);
        let fault = |number: usize, response: &ProbeResponse| self.fault(number, response, &values);
        let tally = context.ports.load().run(barrage, &fault).await;
        self.verdict(&tally)
    }
}

#[cfg(test)]
mod tests;

//! `blue-and-green-agree`

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;

use super::difference::{Answers, Findings};
use super::judging::{Unfit, encoding, of_load_balancer};
use super::words::{cannot_tell, count, group, list, port, without_test_listener};
use super::{green, route, sending};
use crate::check::{Answer, CannotTell, Check, CheckContext};
use crate::deployment::{AnyDeployment as _, Listener};
use crate::plan::{Comparing, Plan, PlannedSecret, Request, Values};
use crate::ports::ProbeResponse;

/// How often both are asked before a difference is one: what changes from second to second differs by chance.
const ROUNDS: usize = 3;

/// How often it is tried to ask, where the load balancer itself answers.
const TRIES: u32 = 5;

/// Pause between two rounds: long enough for what changes with the second to change.
const ASK_AGAIN: Duration = Duration::from_millis(1100);

/// Places that a row names.
const NAMED: usize = 3;

/// Blue and green answer the same requests alike.
///
/// Not asked without a plan: only the team knows which of its requests change nothing, and what is meant to differ.
pub struct BlueAndGreenAgree {
    planned: Comparing,
    host: Option<String>,
    secrets: BTreeMap<String, PlannedSecret>,
    progress: Mutex<Progress>,
}

/// What earlier questions were answered.
#[derive(Clone, Default)]
struct Progress {
    tries: u32,
    rounds: usize,
    answers: Vec<Answers>,
}

impl BlueAndGreenAgree {
    /// Asks both the requests of `test_traffic.compare_with_blue`, where there is one.
    pub fn from_plan(plan: &Plan) -> Option<Self> {
        let planned = plan.test_traffic.compare_with_blue.clone()?;
        let host = plan.test_traffic.host.clone();
        let progress = Progress { answers: vec![Answers::default(); planned.requests.len()], ..Progress::default() };
        Some(Self { planned, host, secrets: plan.secrets.clone(), progress: Mutex::new(progress) })
    }

    fn progress<T>(&self, with: impl FnOnce(&mut Progress) -> T) -> T {
        with(&mut self.progress.lock().expect("nothing panics while it holds the progress"))
    }

    /// Not yet, or after the last try no, or that nobody knows.
    fn again(&self, unfit: Unfit) -> Result<Answer, CannotTell> {
        let tries = self.progress(|progress| {
            progress.tries += 1;
            progress.tries
        });
        if tries < TRIES {
            return Ok(Answer::not_yet(unfit.evidence, ASK_AGAIN, unfit.remedy));
        }
        Err(cannot_tell(format!("{}, {tries} tries in a row", unfit.evidence), unfit.remedy))
    }

    /// One response of the application, or why there is none to compare.
    async fn one(
        &self,
        context: &CheckContext,
        listener: &Listener,
        request: &Request,
        values: &Values,
    ) -> Result<ProbeResponse, Unfit> {
        let received = sending::send(context, listener, self.host.as_deref(), request, values).await;
        let at = port(listener);
        let (evidence, remedy) = match received {
            Ok(received) => match (of_load_balancer(request, &received.response), encoding(&received.response)) {
                (None, None) => return Ok(received.response),
                (Some(meaning), _) => (
                    format!(
                        "the load balancer itself answered {} on {at} with {}: {meaning}",
                        request.name, received.response.status
                    ),
                    "Look at the health of the targets behind this listener.",
                ),
                (None, Some(_)) => (
                    format!("{} was answered on {at} with a packed body that nobody asked for", request.name),
                    "Let the service pack its answers only for clients that accept it.",
                ),
            },
            Err(error) => (
                format!("{} got no answer on {at}: {}", request.name, error.reason),
                "Look at the listener, and at the log of the service behind it.",
            ),
        };
        Err(Unfit { evidence, remedy: remedy.to_owned(), cause: super::judging::Cause::Edge })
    }

    /// Asks blue, green, and in the first round blue once more: what differs between blue's own answers is noise.
    async fn round(
        &self,
        context: &CheckContext,
        production: &Listener,
        test: &Listener,
        values: &Values,
        first: bool,
    ) -> Result<Vec<Answers>, Unfit> {
        let mut round = Vec::new();
        for request in &self.planned.requests {
            let mut answers = Answers::default();
            answers.blue.push(self.one(context, production, request, values).await?);
            answers.green.push(self.one(context, test, request, values).await?);
            if first {
                answers.blue.push(self.one(context, production, request, values).await?);
            }
            round.push(answers);
        }
        Ok(round)
    }

    fn verdict(&self, progress: &Progress, values: &Values) -> Answer {
        let found: Vec<Findings> =
            progress.answers.iter().map(|answers| Findings::of(answers, &self.planned)).collect();
        let named = |places: &[String]| {
            let more = places.len().saturating_sub(NAMED);
            let shown = &places[..places.len().min(NAMED)];
            if more == 0 { list(shown) } else { format!("{} and {more} more", shown.join(", ")) }
        };
        let differing = self.planned.requests.iter().zip(&found).filter(|(_, found)| !found.differences.is_empty());
        let mut differing: Vec<_> = differing.collect();
        differing.sort_by_key(|(_, found)| found.differences.first().map(|it| it.blue.len() + it.green.len()));
        let Some((request, findings)) = differing.first() else {
            let requests = count(self.planned.requests.len(), "request");
            let noise: Vec<String> = found.iter().flat_map(|found| found.noise.clone()).collect();
            let added: Vec<String> = found.iter().flat_map(|found| found.added.clone()).collect();
            let mut evidence = format!("{requests} answered alike by blue and green");
            if !noise.is_empty() {
                evidence.push_str(&format!("; blue differs from itself at {}", named(&noise)));
            }
            if !added.is_empty() {
                evidence.push_str(&format!("; only green has {}", named(&added)));
            }
            return Answer::yes(evidence);
        };
        let smallest = &findings.differences[0];
        let mut evidence = format!(
            "{}: {} of blue was {}, of green {}",
            request.name,
            smallest.place,
            values.clean(&smallest.blue),
            values.clean(&smallest.green)
        );
        let others: Vec<String> = differing
            .iter()
            .flat_map(|(other, found)| found.differences.iter().map(|it| (other.name.as_str(), it.place.as_str())))
            .map(|(other, place)| if other == request.name { place.to_owned() } else { format!("{place} of {other}") })
            .skip(1)
            .collect();
        if !others.is_empty() {
            evidence.push_str(&format!("; {} differ too", named(&others)));
        }
        let remedy = "Mend green, or name what is meant to differ in `test_traffic.compare_with_blue.ignore`.";
        if progress.rounds < ROUNDS {
            return Answer::not_yet(evidence, ASK_AGAIN, remedy);
        }
        Answer::no(format!("{evidence}; asked {} times", progress.rounds), remedy)
    }
}

#[async_trait]
impl Check for BlueAndGreenAgree {
    fn id(&self) -> &'static str {
        "blue-and-green-agree"
    }

    fn question(&self) -> String {
        let names: Vec<String> = self.planned.requests.iter().map(|request| request.name.clone()).collect();
        format!("Do blue and green answer alike to {}?", list(&names))
    }

    async fn ask(&self, context: &CheckContext) -> Result<Answer, CannotTell> {
        let deployment = &context.deployment;
        let Some(test) = &deployment.test else {
            let (what, or) = ("green cannot be compared", "take `compare_with_blue` out of the plan");
            return Ok(without_test_listener(deployment, what, or));
        };
        if deployment.is_first() {
            return Ok(Answer::yes("nothing to compare with: the service is new"));
        }
        let green = green::known(context)?;
        let Some(blue) = &deployment.blue else {
            return Err(cannot_tell(
                format!("blue: no {} serves production", deployment.terms().side),
                deployment.terms().look_at_sides,
            ));
        };
        let (test, production, values) = tokio::try_join!(
            route::now(context, test),
            route::now(context, &deployment.production),
            sending::values(context, &self.secrets, self.planned.requests.iter()),
        )?;
        let pair = route::pair(deployment);
        for (listener, side) in [(&production, blue), (&test, green)] {
            if !route::leads_only_to(listener, &pair, &side.target_group_arn) {
                let (at, name) = (port(listener), group(&side.target_group_arn));
                return self.again(Unfit {
                    evidence: format!("listener {at} sends {}, expected all to {name}", route::shares(listener, &pair)),
                    remedy: format!("Point every rule of this listener for this service wholly at {name}."),
                    cause: super::judging::Cause::Edge,
                });
            }
        }
        let first = self.progress(|progress| progress.rounds == 0);
        let round = match self.round(context, &production, &test, &values, first).await {
            Ok(round) => round,
            Err(unfit) => return self.again(unfit),
        };
        let progress = self.progress(|progress| {
            progress.rounds += 1;
            for (known, new) in progress.answers.iter_mut().zip(round) {
                known.blue.extend(new.blue);
                known.green.extend(new.green);
            }
            progress.clone()
        });
        Ok(self.verdict(&progress, &values))
    }
}

#[cfg(test)]
mod tests;

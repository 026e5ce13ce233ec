//! Telling green's answers from blue's.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::judging::{Cause, Unfit, judge};
use super::sending;
use super::words::{cannot_tell, quoted, shortened};
use crate::check::{Answer, CannotTell, CheckContext};
use crate::deployment::Listener;
use crate::plan::{Expect, GreenProof, Mark, Plan, Request, Template, Values, plain_text};
use crate::ports::ProbeResponse;

/// How often a check looks before it says no: a listener's change takes seconds to reach every node of a load balancer.
const LOOKS: u32 = 5;

/// Answers that must bear the mark, one after the other: blue behind a forgotten rule answers only some of them.
const ANSWERS: usize = 10;

/// Pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Asks a listener who answers there.
pub(super) struct Proof {
    mark: Option<GreenProof>,
    host: Option<String>,
    looks: AtomicU32,
}

impl Proof {
    pub(super) fn from_plan(plan: &Plan) -> Self {
        let part = &plan.test_traffic;
        Self { mark: part.green.clone(), host: part.host.clone(), looks: AtomicU32::new(0) }
    }

    /// Not yet, or after the last look no.
    pub(super) fn not_yet(&self, evidence: String, remedy: String) -> Answer {
        let looks = self.looks.fetch_add(1, Ordering::Relaxed) + 1;
        if looks < LOOKS {
            return Answer::not_yet(evidence, LOOK_AGAIN, remedy);
        }
        Answer::no(format!("{evidence}, {looks} looks in a row"), remedy)
    }

    /// Asks, and judges the answer. `route` says what the listener's rules prove by themselves.
    pub(super) async fn ask(
        &self,
        context: &CheckContext,
        listener: &Listener,
        route: &str,
    ) -> Result<Answer, CannotTell> {
        let templates = self.mark.iter().flat_map(|it| std::iter::once(&it.equals).chain(&it.path));
        let used: Vec<&str> = templates.flat_map(Template::variables).collect();
        let values = sending::of_deployment(context, &used).await?;
        let request = self.request(context, &values);
        let name = &request.name;
        let Some(proof) = &self.mark else {
            return match self.answer(context, listener, &request, &values).await {
                Ok(response) => Ok(Answer::yes(format!("{route}, and {name} was answered with {}", response.status))),
                Err(unfit) => self.unanswered(unfit),
            };
        };
        let wanted = proof.equals.fill(&values);
        let mut others = Vec::new();
        for _ in 0..ANSWERS {
            let response = match self.answer(context, listener, &request, &values).await {
                Ok(response) => response,
                Err(unfit) => return self.unanswered(unfit),
            };
            let (place, found) = read(&proof.mark, &response);
            match found {
                Some(found) if found == wanted => {}
                Some(found) => others.push(format!("{place} {}", shortened(&found))),
                None => others.push(format!("{} without {place}: {}", response.status, quoted(&response.body))),
            }
        }
        let wanted = shortened(&wanted);
        let Some(other) = others.first() else {
            let place = place(&proof.mark);
            return Ok(Answer::yes(format!("{route}, and {name} was answered with {place} {wanted}")));
        };
        let often = match others.len() {
            ANSWERS => String::new(),
            some => format!(", in {some} of {ANSWERS} answers"),
        };
        Ok(self.not_yet(
            format!("{route}, but {name} was answered with {other}, expected {wanted}{often}"),
            "Find out which version answers: blue, or a green that reports another version than the plan expects."
                .to_owned(),
        ))
    }

    /// The answer of a target; whatever it says.
    async fn answer(
        &self,
        context: &CheckContext,
        listener: &Listener,
        request: &Request,
        values: &Values,
    ) -> Result<ProbeResponse, Unfit> {
        let received = sending::send(context, listener, self.host.as_deref(), request, values).await;
        match judge(request, listener, &received, values) {
            Err(unfit) if unfit.cause != Cause::Application => Err(unfit),
            _ => Ok(received.expect("a request without a response is judged unfit for it").response),
        }
    }

    fn unanswered(&self, unfit: Unfit) -> Result<Answer, CannotTell> {
        match self.not_yet(unfit.evidence, unfit.remedy) {
            Answer::No { evidence, remedy } if unfit.cause == Cause::Nobody => Err(cannot_tell(evidence, remedy)),
            answer => Ok(answer),
        }
    }

    /// Any answer of a target will do; what it must say is the mark's.
    fn request(&self, context: &CheckContext, values: &Values) -> Request {
        let planned = self.mark.as_ref().and_then(|proof| proof.path.as_ref());
        let path = planned.map_or_else(|| health_path(context), |path| path.fill_path(values));
        Request { path: Template::plain(&path), expect: Expect::success(), ..Request::get(&path) }
    }
}

/// The path that the load balancer itself asks.
fn health_path(context: &CheckContext) -> String {
    let deployment = &context.deployment;
    let green = deployment.green.as_ref().map(|green| green.target_group_arn.as_str());
    let group = deployment.target_groups.iter().find(|group| Some(group.arn.as_str()) == green);
    let path = group.map(|group| group.health_check.path.as_str()).filter(|path| path.starts_with('/'));
    path.unwrap_or("/health").to_owned()
}

/// Where an answer says who gave it.
fn place(mark: &Mark) -> String {
    match mark {
        Mark::Header(name) => format!("header {name}"),
        Mark::Json(path) => path.to_string(),
    }
}

/// Where the answer says who gave it, and what it says.
fn read(mark: &Mark, response: &ProbeResponse) -> (String, Option<String>) {
    let found = match mark {
        Mark::Header(name) => response.header(name).map(str::to_owned),
        Mark::Json(path) => {
            let body = serde_json::from_slice::<serde_json::Value>(&response.body).ok();
            body.and_then(|body| path.find(&body).map(plain_text))
        }
    };
    (place(mark), found)
}

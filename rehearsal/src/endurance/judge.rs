//! Whether a deployment ended as it had to.

use greenlight::stage::Stage;

use super::Fate;
use crate::setup::function_name;
use crate::world::State;
use crate::world::deployments::{Deployment, DeploymentStatus, EventStatus};
use crate::world::functions::{Invocation, InvocationStatus};

/// What is to be said of a deployment.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// Answers of hooks that CodeDeploy had to get: for the deployment, and for its rollback.
    pub answers: usize,
    /// Those that were not given, or were not what they had to be.
    pub wrong_answers: usize,
    /// Function and process of every invocation.
    pub served: Vec<(String, u32)>,
    /// What is wrong, a sentence each.
    pub faults: Vec<String>,
}

/// A deployment that is over.
pub(super) struct Ended<'a> {
    pub(super) id: &'a str,
    pub(super) service: &'a str,
    pub(super) fate: Fate,
    /// Task definitions of the two sides.
    pub(super) blue: &'a str,
    pub(super) green: &'a str,
    /// The versions that its database has recorded.
    pub(super) migrations: &'a [i64],
}

/// Holds it against its fate.
pub(super) fn judge(ended: &Ended<'_>, state: &State) -> Judged {
    let mut judged = Judged::default();
    let Some(deployment) = state.codedeploy.deployment(ended.id) else {
        judged.faults.push("CodeDeploy does not know it any more".to_owned());
        return judged;
    };
    let stops_at = ended.fate.stops_at();
    let expected = if stops_at.is_some() { DeploymentStatus::Failed } else { DeploymentStatus::Succeeded };
    judged.hold(deployment.status == expected, || format!("it {}", deployment.status.name()));
    let serves = stops_at.map_or(ended.green, |_| ended.blue);
    let primary = state.services.iter().find(|it| it.name == ended.service).and_then(|it| it.primary());
    let actual = primary.map_or("nothing", |set| set.task_definition.as_str());
    judged.hold(actual == serves, || format!("{actual} serves in the end, not {serves}"));
    let (applied, wanted) = (ended.migrations, ended.fate.migrations());
    judged.hold(applied == wanted, || format!("the migrations {applied:?} are applied, not {wanted:?}"));

    let answers = Stage::ALL.into_iter().take_while(|stage| stops_at.is_none_or(|(last, _)| *stage <= last));
    for stage in answers {
        let right = stops_at.is_none_or(|(last, _)| stage != last);
        judged.hold_answer(ended, state, deployment, stage, right);
    }
    let rollback = deployment.rolled_back_by.as_deref().and_then(|id| state.codedeploy.deployment(id));
    judged.hold(rollback.is_some() == stops_at.is_some(), || "there was a rollback, or none, wrongly".to_owned());
    if let Some(rollback) = rollback {
        judged.hold(rollback.status == DeploymentStatus::Succeeded, || "it was not rolled back".to_owned());
        for stage in Stage::ALL {
            judged.hold_answer(ended, state, rollback, stage, true);
        }
    }
    judged
}

impl Judged {
    fn hold(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.faults.push(otherwise());
        }
    }

    /// One answer: given once, by a hook that was asked about this deployment and reports of no other.
    fn hold_answer(&mut self, ended: &Ended<'_>, state: &State, of: &Deployment, stage: Stage, good: bool) {
        self.answers += 1;
        let before = self.faults.len();
        let event = of.events.iter().find(|event| event.name == stage.event_name());
        let status = event.map_or(EventStatus::Pending, |event| event.status);
        let expected = if good { EventStatus::Succeeded } else { EventStatus::Failed };
        self.hold(status == expected, || format!("{stage} of {} {}", of.id, status.name()));
        let function = function_name(stage);
        let mut asked = invocations(state, &of.id).filter(|it| it.function == function);
        match (asked.next(), asked.next()) {
            (Some(hook), None) => {
                self.served.extend(hook.process.map(|process| (function.clone(), process)));
                self.hold_log(ended, state, of, hook, good);
            }
            _ => self.faults.push(format!("{stage} of {} was not called once", of.id)),
        }
        self.wrong_answers += usize::from(self.faults.len() > before);
    }

    fn hold_log(&mut self, ended: &Ended<'_>, state: &State, of: &Deployment, hook: &Invocation, good: bool) {
        let name = &hook.function;
        let returned = matches!(hook.status, InvocationStatus::Returned(_));
        self.hold(returned, || format!("{name} ended otherwise than by returning: {:?}", hook.status));
        let log = hook.log.join("\n");
        let own = format!("/{}  {}", ended.service, of.id);
        self.hold(log.contains(&own), || format!("{name} does not report of {own}"));
        let of_others = |it: &&Deployment| it.id != ended.id && it.id != of.id && log.contains(&it.id);
        if let Some(other) = state.codedeploy.deployments.iter().find(of_others) {
            self.faults.push(format!("{name}, asked about {}, speaks of {}", of.id, other.id));
        }
        if let Some((_, check)) = ended.fate.stops_at().filter(|_| !good) {
            // Once another check has stopped the deployment, this one is not waited for: its row says how far it was.
            let open = |line: &str| ["FAILED", "NOT YET", "CANNOT TELL"].iter().any(|it| line.trim().starts_with(it));
            let says = log.lines().any(|line| open(line) && line.contains(check));
            self.hold(says, || format!("{name} does not say that {check} did not pass:\n{log}"));
        }
    }
}

/// What functions were asked about this deployment.
pub(super) fn invocations<'s>(state: &'s State, deployment: &str) -> impl Iterator<Item = &'s Invocation> {
    let id = format!("\"{deployment}\"");
    state.invocations.iter().filter(move |it| it.payload.contains(&id))
}

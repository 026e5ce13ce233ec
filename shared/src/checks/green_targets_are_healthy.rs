//! `green-targets-are-healthy`

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::time::Instant;

use super::targets::Count;
use super::words::{cannot_tell, group, port};
use super::{green, since};
use crate::check::{Answer, CannotTell, Check, CheckContext};
use crate::deployment::AnyDeployment as _;

/// Looks in a row that must find the same: a single one may fall between two health checks.
const LOOKS_IN_A_ROW: u32 = 2;

/// Pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// As many of green's targets as tasks are wanted answer the load balancer's health checks.
///
/// The load balancer checks a target group only while a listener forwards to it; until then its targets are `unused`
/// (`Target.NotInUse`), which says nothing about them.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>
#[derive(Default)]
pub struct GreenTargetsAreHealthy {
    seen: Mutex<Seen>,
}

/// What earlier looks saw.
#[derive(Clone, Copy, Default)]
struct Seen {
    good_looks: u32,
    ill_since: Option<Instant>,
}

impl GreenTargetsAreHealthy {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The state, under its lock.
    fn update<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        change(&mut self.seen.lock().expect("nothing panics while it holds what was seen"))
    }

    /// Yes after the second good look in a row.
    fn good(&self, evidence: String) -> Answer {
        let looks = self.update(|seen| {
            seen.good_looks += 1;
            seen.ill_since = None;
            seen.good_looks
        });
        if looks >= LOOKS_IN_A_ROW {
            return Answer::yes(format!("{evidence}, {looks} looks in a row"));
        }
        Answer::not_yet(evidence, LOOK_AGAIN, "Look at the health of green's targets: it changes.")
    }

    /// Since when a target has been ill.
    fn ill_since(&self) -> Instant {
        self.update(|seen| {
            seen.good_looks = 0;
            *seen.ill_since.get_or_insert_with(Instant::now)
        })
    }
}

#[async_trait]
impl Check for GreenTargetsAreHealthy {
    fn id(&self) -> &'static str {
        "green-targets-are-healthy"
    }

    fn question(&self) -> String {
        "Does the load balancer find as many healthy targets of green as tasks are wanted?".to_owned()
    }

    async fn ask(&self, context: &CheckContext) -> Result<Answer, CannotTell> {
        let deployment = &context.deployment;
        let known = green::known(context)?;
        let targets = context.ports.targets().health(&known.target_group_arn);
        let (green, targets) = tokio::try_join!(green::now(context, known), targets)?;
        let name = group(&green.target_group_arn);
        let targets = Count::of(&targets);
        let wanted = green.desired as usize;
        if wanted == 0 {
            return Ok(Answer::no(
                format!("green ({}) wants 0 tasks: an empty target group is never healthy", green.version()),
                "Scale the service to at least one task, then deploy.",
            ));
        }
        let mut seen = format!("{} of {wanted} targets in {name} healthy", targets.healthy);
        if let Some(ill) = &targets.unhealthy {
            let grace = Duration::from_secs(deployment.service.health_check_grace_seconds.into());
            seen.push_str(&format!("; {ill}"));
            let remedy = remedy_for_ill(context, &green.target_group_arn);
            if self.ill_since().elapsed() >= grace {
                return Ok(Answer::no(seen, remedy));
            }
            return Ok(Answer::not_yet(
                format!("{seen}; grace period {} s", grace.as_secs()),
                context.pause(LOOK_AGAIN),
                remedy,
            ));
        }
        if targets.healthy >= wanted && targets.registered() == targets.healthy {
            return Ok(self.good(seen));
        }
        if targets.not_in_use >= wanted && targets.registered() == targets.not_in_use {
            let unused = format!(
                "{} of {wanted} targets registered in {name}; no listener forwards to it yet, so nobody checks their health",
                targets.not_in_use
            );
            let Some(test) = &deployment.test else {
                let terms = deployment.terms();
                return Err(cannot_tell(
                    format!("the health of green: {unused}, and there is no {}", terms.test_listener),
                    format!("{}, or make this check advisory in the plan.", terms.get_test_listener),
                ));
            };
            return Ok(self.good(format!("{unused}; the test listener {} will be asked next", port(test))));
        }
        self.update(|seen| *seen = Seen::default());
        if targets.initial > 0 {
            seen.push_str(&format!(", {} being checked for the first time", targets.initial));
        }
        if targets.not_in_use > 0 {
            seen.push_str(&format!(", {} not in use", targets.not_in_use));
        }
        let remedy =
            "Compare port, path and codes of the target group's health check with what the application answers.";
        Ok(Answer::not_yet(seen, context.pause(LOOK_AGAIN), remedy))
    }

    fn remember(&self) -> Option<Value> {
        Some(self.update(|seen| seen.ill_since).map_or(Value::Null, since::remember))
    }

    fn recall(&self, remembered: &Value) {
        self.update(|seen| seen.ill_since = since::recall(remembered));
    }
}

/// Names the health check that the targets do not pass.
fn remedy_for_ill(context: &CheckContext, target_group_arn: &str) -> String {
    let groups = &context.deployment.target_groups;
    match groups.iter().find(|group| group.arn == target_group_arn) {
        Some(group) => format!(
            "Find out in green's log why GET {} does not answer {} within {} s.",
            group.health_check.path, group.health_check.matcher, group.health_check.timeout_seconds
        ),
        None => "Find out in green's log why it does not answer the health check.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use insta::assert_snapshot;

    use super::GreenTargetsAreHealthy;
    use crate::check::Check;
    use crate::checks::told::told;
    use crate::deployment::Deployment;
    use crate::fakes::{Fakes, GREEN_GROUP, deployment};
    use crate::stage::Stage;

    fn set(fakes: &Fakes, state: &str, reason: &str) {
        for target in fakes.state().targets.get_mut(GREEN_GROUP).expect("green's targets") {
            target.state = state.to_owned();
            target.reason = Some(reason.to_owned());
        }
    }

    async fn rows(fakes: &Fakes, deployment: Deployment) -> [String; 2] {
        let check = GreenTargetsAreHealthy::new();
        let context = fakes.context_of(Stage::AfterInstall, deployment);
        [told(&check, &context).await, told(&check, &context).await]
    }

    #[tokio::test]
    async fn passes_when_all_are_healthy_twice_in_a_row() {
        let rows = rows(&Fakes::well(), deployment()).await;
        assert_snapshot!(rows.join("\n"), @"
        NOT YET (again in 1000 ms)
          2 of 2 targets in tg-green healthy
          do: Look at the health of green's targets: it changes.
        PASSED
          2 of 2 targets in tg-green healthy, 2 looks in a row
        ");
    }

    /// One target of two is not enough, and neither is an empty group.
    #[tokio::test]
    async fn waits_until_there_are_as_many_as_wanted() {
        let fakes = Fakes::well();
        fakes.state().targets.get_mut(GREEN_GROUP).expect("green's targets").pop();
        let [_, one] = rows(&fakes, deployment()).await;
        fakes.state().targets.clear();
        let [_, none] = rows(&fakes, deployment()).await;
        assert_snapshot!(format!("{one}\n{none}"), @"
        NOT YET (again in 1000 ms)
          1 of 2 targets in tg-green healthy
          do: Compare port, path and codes of the target group's health check with what the application answers.
        NOT YET (again in 1000 ms)
          0 of 2 targets in tg-green healthy
          do: Compare port, path and codes of the target group's health check with what the application answers.
        ");
    }

    #[tokio::test]
    async fn waits_while_targets_are_checked_for_the_first_time() {
        let fakes = Fakes::well();
        set(&fakes, "initial", "Elb.InitialHealthChecking");
        let [_, row] = rows(&fakes, deployment()).await;
        assert_snapshot!(row, @"
        NOT YET (again in 1000 ms)
          0 of 2 targets in tg-green healthy, 2 being checked for the first time
          do: Compare port, path and codes of the target group's health check with what the application answers.
        ");
    }

    #[tokio::test]
    async fn fails_when_a_target_is_unhealthy_and_no_grace_is_given() {
        let fakes = Fakes::well();
        set(&fakes, "unhealthy", "Target.ResponseCodeMismatch");
        let [row, _] = rows(&fakes, deployment()).await;
        assert_snapshot!(row, @"
        FAILED
          0 of 2 targets in tg-green healthy; 10.0.0.20:8080 is unhealthy (Target.ResponseCodeMismatch)
          do: Find out in green's log why GET /health does not answer 200 within 5 s.
        ");
    }

    #[tokio::test(start_paused = true)]
    async fn fails_when_a_target_is_still_unhealthy_after_the_grace_period() {
        let fakes = Fakes::well();
        set(&fakes, "unhealthy", "Target.Timeout");
        let mut deployment = deployment();
        deployment.service.health_check_grace_seconds = 60;
        let check = GreenTargetsAreHealthy::new();
        let context = fakes.context_of(Stage::AfterInstall, deployment);
        let early = told(&check, &context).await;
        tokio::time::advance(Duration::from_secs(60)).await;
        let late = told(&check, &context).await;
        assert_snapshot!(format!("{early}\n{late}"), @"
        NOT YET (again in 1000 ms)
          0 of 2 targets in tg-green healthy; 10.0.0.20:8080 is unhealthy (Target.Timeout); grace period 60 s
          do: Find out in green's log why GET /health does not answer 200 within 5 s.
        FAILED
          0 of 2 targets in tg-green healthy; 10.0.0.20:8080 is unhealthy (Target.Timeout)
          do: Find out in green's log why GET /health does not answer 200 within 5 s.
        ");
    }

    /// At this stage the test listener still leads to blue, so green's group is in nobody's use.
    #[tokio::test]
    async fn passes_when_no_listener_uses_the_group_yet_and_says_so() {
        let fakes = Fakes::well();
        set(&fakes, "unused", "Target.NotInUse");
        let [_, row] = rows(&fakes, deployment()).await;
        assert_snapshot!(row, @"
        PASSED
          2 of 2 targets registered in tg-green; no listener forwards to it yet, so nobody checks their health; the test listener HTTP :9001 will be asked next, 2 looks in a row
        ");
    }

    #[tokio::test]
    async fn cannot_tell_when_no_listener_will_use_the_group_before_users_do() {
        let fakes = Fakes::well();
        set(&fakes, "unused", "Target.NotInUse");
        let [row, _] = rows(&fakes, Deployment { test: None, ..deployment() }).await;
        assert_snapshot!(row, @"
        CANNOT TELL
          the health of green: 2 of 2 targets registered in tg-green; no listener forwards to it yet, so nobody checks their health, and there is no test listener
          do: Give the deployment group a test listener, or make this check advisory in the plan.
        ");
    }

    #[tokio::test]
    async fn cannot_tell_when_the_load_balancer_does_not_answer() {
        let fakes = Fakes::well();
        fakes.state().unreachable = Some(true);
        let [row, _] = rows(&fakes, deployment()).await;
        assert_snapshot!(row, @"
        CANNOT TELL
          task sets of shop/orders: the call was refused
          do: Allow the call in the function's role.
        ");
    }

    #[tokio::test]
    async fn an_ill_target_ends_the_row_of_good_looks() {
        let fakes = Fakes::well();
        let check = GreenTargetsAreHealthy::new();
        let mut deployment = deployment();
        deployment.service.health_check_grace_seconds = 60;
        let context = fakes.context_of(Stage::AfterInstall, deployment);
        check.ask(&context).await.expect("a look");
        set(&fakes, "unhealthy", "Target.Timeout");
        check.ask(&context).await.expect("a look");
        set(&fakes, "healthy", "");
        assert!(told(&check, &context).await.starts_with("NOT YET"));
        assert!(told(&check, &context).await.starts_with("PASSED"));
    }
}

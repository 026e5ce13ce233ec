//! `green-is-no-worse-than-blue`

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::Instant;

use super::alarms_stay_quiet::DEFAULT_BAKE;
use super::words::{cannot_tell, group};
use super::{green, since};
use crate::check::{Answer, CannotTell, Check, CheckContext};
use crate::deployment::{AnyDeployment as _, TaskSet};
use crate::plan::Plan;
use crate::ports::Counts;
use crate::units::{Percent, Points, Requests, Span};

/// How much more of green's requests may fail where the plan says nothing.
const DEFAULT_DIFFERENCE: Points = Points::new(1.0);

/// Fewer requests of one colour are not compared where the plan says nothing.
const FEWEST: Requests = Requests::new(100);

/// Blue is judged by this long before the shift too, where it had too few requests during the shift.
const BEFORE: SignedDuration = SignedDuration::from_mins(60);

/// Standard errors that a difference must have: one in a hundred comparisons of equals comes so far by chance.
const SIGNIFICANT: f64 = 2.33;

/// Shortest and longest pause between two looks.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// No greater share of users' requests fails on green than on blue.
pub struct GreenIsNoWorseThanBlue {
    difference: Points,
    /// What the plan asks for; without it too few requests are no reason to stop.
    at_least: Option<Requests>,
    bake: Span,
    since: Mutex<Option<Instant>>,
}

impl GreenIsNoWorseThanBlue {
    /// Compares as the plan's `production.errors` says, until the end of `production.bake`.
    pub fn from_plan(plan: &Plan) -> Self {
        let errors = plan.production.errors;
        Self {
            difference: errors.and_then(|errors| errors.worse_than_blue_by).unwrap_or(DEFAULT_DIFFERENCE),
            at_least: errors.and_then(|errors| errors.at_least),
            bake: plan.production.bake.unwrap_or(DEFAULT_BAKE),
            since: Mutex::new(None),
        }
    }

    /// When it was first asked: what the first look takes is of the bake time, as with the alarms.
    fn since(&self) -> Instant {
        *self.since.lock().expect("nothing panics while it holds the time").get_or_insert_with(Instant::now)
    }

    /// Nothing can be concluded: for whom that is not enough says so in the plan.
    fn nothing(&self, seen: &str) -> Result<Answer, CannotTell> {
        match self.at_least {
            None => Ok(Answer::yes(format!("not compared: {seen}"))),
            Some(_) => Err(cannot_tell(
                format!("whether green is worse than blue: {seen}"),
                "Bake longer, or ask for fewer requests with `production.errors.at_least`.",
            )),
        }
    }

    fn judge(&self, compared: &Compared) -> Judgement {
        let fewest = self.at_least.unwrap_or(FEWEST).count();
        let Compared { blue, green, .. } = compared;
        if green.requests < fewest || blue.requests < fewest {
            return Judgement::TooFew;
        }
        let worse = green.share().percent() - blue.share().percent();
        if worse > self.difference.points() && compared.standard_errors() >= SIGNIFICANT {
            return Judgement::Worse;
        }
        Judgement::NoWorse
    }
}

enum Judgement {
    TooFew,
    Worse,
    NoWorse,
}

/// What both colours' requests came to.
struct Compared {
    blue: Total,
    green: Total,
    /// Whether blue's requests before the shift were counted.
    before: bool,
}

#[derive(Clone, Copy, Default)]
struct Total {
    requests: u64,
    failed: u64,
}

impl Total {
    fn of(minutes: &BTreeMap<Timestamp, Counts>, from: Timestamp) -> Self {
        let counted = minutes.range(from..).fold(Self::default(), |total, (_, counts)| Self {
            requests: total.requests + counts.requests,
            failed: total.failed + counts.errors + counts.unreached,
        });
        Self { failed: counted.failed.min(counted.requests), ..counted }
    }

    fn share(self) -> Percent {
        Percent::of(self.failed, self.requests)
    }

    fn told(self, name: &str) -> String {
        format!("{name} failed {} of {} requests ({:.2} %)", self.failed, self.requests, self.share().percent())
    }
}

impl Compared {
    /// How far apart the shares are, in standard errors of their difference if both were the same (pooled).
    #[expect(clippy::cast_precision_loss, reason = "nobody counts 2^53 requests")]
    fn standard_errors(&self) -> f64 {
        let (blue, green) = (self.blue, self.green);
        let (of_blue, of_green) = (blue.requests as f64, green.requests as f64);
        let pooled = (blue.failed + green.failed) as f64 / (of_blue + of_green);
        let error = (pooled * (1.0 - pooled) * (1.0 / of_blue + 1.0 / of_green)).sqrt();
        if error > 0.0 { (green.share().fraction() - blue.share().fraction()) / error } else { 0.0 }
    }

    fn told(&self) -> String {
        let since = if self.before { "since an hour before the shift" } else { "since the shift began" };
        format!("{}, {} {since}", self.green.told("green"), self.blue.told("blue"))
    }
}

async fn compared(
    context: &CheckContext,
    blue: &TaskSet,
    green: &TaskSet,
    shift: Timestamp,
    fewest: u64,
) -> Result<Compared, CannotTell> {
    let balancer = &context.deployment.production.load_balancer.arn;
    let metrics = context.ports.metrics();
    let groups = [blue.target_group_arn.as_str(), green.target_group_arn.as_str()];
    let [of_blue, of_green] = metrics.requests(balancer, groups, shift - BEFORE).await?;
    let during = Total::of(&of_blue, shift);
    let before = during.requests < fewest;
    let blue = if before { Total::of(&of_blue, shift - BEFORE) } else { during };
    Ok(Compared { blue, green: Total::of(&of_green, shift), before })
}

#[async_trait]
impl Check for GreenIsNoWorseThanBlue {
    fn id(&self) -> &'static str {
        "green-is-no-worse-than-blue"
    }

    fn question(&self) -> String {
        format!("Does no more than {} more of users' requests fail on green than on blue?", self.difference)
    }

    async fn ask(&self, context: &CheckContext) -> Result<Answer, CannotTell> {
        let deployment = &context.deployment;
        let green = green::known(context)?;
        let Some(blue) = &deployment.blue else { return self.nothing("there is no blue any more") };
        if deployment.production.load_balancer.kind == "network" {
            return self.nothing("a network load balancer counts no answers");
        }
        let Some(shift) = deployment.shift_began else {
            let seen = format!("{} does not say when the shift began", deployment.terms().mover);
            return self.nothing(&seen);
        };
        let fewest = self.at_least.unwrap_or(FEWEST);
        let since = self.since();
        let compared = compared(context, blue, green, shift, fewest.count()).await?;
        let seen = compared.told();
        let name = group(&green.target_group_arn);
        let remedy = format!(
            "Read green's log for what fails, by the answers with 5xx of {name}; check that users went back to blue."
        );
        let judgement = self.judge(&compared);
        if let Judgement::Worse = judgement {
            return Ok(Answer::no(format!("{seen}: more than {} worse", self.difference), remedy));
        }
        let bake = if deployment.is_stepping() { Duration::ZERO } else { self.bake.duration() };
        let left = bake.saturating_sub(since.elapsed());
        if !left.is_zero() && left < context.left_to_wait() {
            let pause = (self.bake.duration() / 4).clamp(LOOK_AGAIN.0, LOOK_AGAIN.1);
            let pause = context.pause(pause).min(left);
            return Ok(Answer::not_yet(seen, pause, remedy));
        }
        match judgement {
            Judgement::TooFew => self.nothing(&format!("{seen}, fewer than {fewest} each")),
            Judgement::NoWorse | Judgement::Worse => Ok(Answer::yes(seen)),
        }
    }

    fn remember(&self) -> Option<Value> {
        Some(since::remember(self.since()))
    }

    fn recall(&self, remembered: &Value) {
        *self.since.lock().expect("nothing panics while it holds the time") = since::recall(remembered);
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::checks::told::told;
    use crate::deployment::Deployment;
    use crate::fakes::{BLUE_GROUP, Fakes, GREEN_GROUP, deployment};
    use crate::stage::Stage;

    const SHIFT: &str = "2026-11-21T12:00:00Z";

    fn at(minutes: i64) -> Timestamp {
        SHIFT.parse::<Timestamp>().expect("a time") + SignedDuration::from_mins(minutes)
    }

    fn world(blue: &[(i64, u64, u64)], green: &[(i64, u64, u64)]) -> (Fakes, CheckContext) {
        let fakes = Fakes::well();
        for (arn, minutes) in [(BLUE_GROUP, blue), (GREEN_GROUP, green)] {
            let counted = minutes.iter().map(|(minute, requests, errors)| {
                (at(*minute), Counts { requests: *requests, errors: *errors, unreached: 0 })
            });
            fakes.state().requests_counted.insert(arn.to_owned(), counted.collect());
        }
        let context = fakes.context(Stage::AfterAllowTraffic);
        (fakes, context)
    }

    /// Without a bake one look decides.
    fn check(errors: &str) -> GreenIsNoWorseThanBlue {
        let plan = format!("version: 1\nproduction: {{ bake: 0s{errors} }}\n");
        GreenIsNoWorseThanBlue::from_plan(&Plan::parse(&plan, "plan.yaml").expect("a plan"))
    }

    async fn row(errors: &str, blue: &[(i64, u64, u64)], green: &[(i64, u64, u64)]) -> String {
        told(&check(errors), &world(blue, green).1).await
    }

    #[tokio::test]
    async fn passes_when_both_fail_alike() {
        assert_snapshot!(row("", &[(1, 900, 9), (2, 900, 9)], &[(1, 100, 1), (2, 100, 1)]).await, @"
        PASSED
          green failed 2 of 200 requests (1.00 %), blue failed 18 of 1800 requests (1.00 %) since the shift began
        ");
    }

    #[tokio::test]
    async fn fails_when_green_fails_more() {
        assert_snapshot!(row("", &[(1, 900, 0), (2, 900, 1)], &[(1, 100, 3), (2, 100, 9)]).await, @"
        FAILED
          green failed 12 of 200 requests (6.00 %), blue failed 1 of 1800 requests (0.06 %) since the shift began: more than 1pp worse
          do: Read green's log for what fails, by the answers with 5xx of tg-green; check that users went back to blue.
        ");
        let lax = ", errors: { worse_than_blue_by: 10pp }";
        assert!(row(lax, &[(1, 900, 0)], &[(1, 200, 12)]).await.starts_with("PASSED"));
    }

    /// Two of a hundred are more than one of a hundred, and nothing at all.
    #[tokio::test]
    async fn a_difference_that_chance_makes_is_none() {
        assert_snapshot!(row("", &[(1, 200, 2)], &[(1, 100, 3)]).await, @"
        PASSED
          green failed 3 of 100 requests (3.00 %), blue failed 2 of 200 requests (1.00 %) since the shift began
        ");
    }

    /// All of production moved at once: blue had its last request before.
    #[tokio::test]
    async fn blue_is_judged_by_the_hour_before_where_it_has_no_requests_now() {
        assert_snapshot!(row("", &[(-70, 9000, 900), (-30, 1000, 1)], &[(1, 500, 25)]).await, @"
        FAILED
          green failed 25 of 500 requests (5.00 %), blue failed 1 of 1000 requests (0.10 %) since an hour before the shift: more than 1pp worse
          do: Read green's log for what fails, by the answers with 5xx of tg-green; check that users went back to blue.
        ");
    }

    #[tokio::test]
    async fn too_few_requests_stop_nobody_who_did_not_ask_for_more() {
        let (blue, green) = ([(1, 40, 0)], [(1, 5, 5)]);
        let default = row("", &blue, &green).await;
        let asked = row(", errors: { at_least: 200 requests }", &blue, &green).await;
        assert_snapshot!(format!("{default}\n{asked}"), @"
        PASSED
          not compared: green failed 5 of 5 requests (100.00 %), blue failed 0 of 40 requests (0.00 %) since an hour before the shift, fewer than 100 requests each
        CANNOT TELL
          whether green is worse than blue: green failed 5 of 5 requests (100.00 %), blue failed 0 of 40 requests (0.00 %) since an hour before the shift, fewer than 200 requests each
          do: Bake longer, or ask for fewer requests with `production.errors.at_least`.
        ");
    }

    #[tokio::test(start_paused = true)]
    async fn it_looks_until_the_bake_is_over_and_says_no_at_once() {
        let (fakes, context) = world(&[(1, 900, 0)], &[(1, 300, 0)]);
        let check = GreenIsNoWorseThanBlue::from_plan(&Plan::defaults());
        let first = told(&check, &context).await;
        tokio::time::advance(Duration::from_secs(60)).await;
        let last = told(&check, &context).await;
        fakes
            .state()
            .requests_counted
            .get_mut(GREEN_GROUP)
            .expect("green is counted")
            .insert(at(2), Counts { requests: 300, errors: 200, unreached: 100 });
        let worse = told(&GreenIsNoWorseThanBlue::from_plan(&Plan::defaults()), &context).await;
        assert_snapshot!([first, last, worse].join("\n"), @"
        NOT YET (again in 15000 ms)
          green failed 0 of 300 requests (0.00 %), blue failed 0 of 900 requests (0.00 %) since the shift began
          do: Read green's log for what fails, by the answers with 5xx of tg-green; check that users went back to blue.
        PASSED
          green failed 0 of 300 requests (0.00 %), blue failed 0 of 900 requests (0.00 %) since the shift began
        FAILED
          green failed 300 of 600 requests (50.00 %), blue failed 0 of 900 requests (0.00 %) since the shift began: more than 1pp worse
          do: Read green's log for what fails, by the answers with 5xx of tg-green; check that users went back to blue.
        ");
    }

    #[tokio::test]
    async fn cannot_tell_when_cloudwatch_does_not_answer() {
        let (fakes, context) = world(&[], &[]);
        fakes.state().unreachable = Some(true);
        assert_snapshot!(told(&check(""), &context).await, @"
        CANNOT TELL
          requests of arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/tg-blue/1111111111111111: the call was refused
          do: Allow the call in the function's role.
        ");
    }

    #[tokio::test]
    async fn nothing_is_compared_when_nobody_knows_when_the_shift_began() {
        let unknown = Deployment { shift_began: None, ..deployment() };
        let context = Fakes::well().context_of(Stage::AfterAllowTraffic, unknown);
        assert_snapshot!(told(&check(""), &context).await, @"
        PASSED
          not compared: CodeDeploy does not say when the shift began
        ");
    }
}

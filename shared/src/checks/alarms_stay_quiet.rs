//! `alarms-stay-quiet`

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::alarms::{Reading, read};
use super::since;
use super::words::{cannot_tell, count};
use crate::check::{Answer, CannotTell, Check, CheckContext, Waits};
use crate::deployment::AnyDeployment;
use crate::plan::Plan;
use crate::ports::AlarmState;
use crate::units::Span;

/// How long the alarms are watched where the plan says nothing: one period of most alarms, so that at least one reading
/// is of green alone.
pub const DEFAULT_BAKE: Span = Span::new(Duration::from_secs(60));

/// Shortest and longest pause between two looks.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));

/// No alarm of the deployment group fires while users are on green, for the whole bake time.
pub struct AlarmsStayQuiet {
    /// How long they are watched.
    bake: Span,
    watch: Mutex<Option<Watch>>,
}

/// What the looks saw so far.
#[derive(Clone)]
struct Watch {
    since: Instant,
    states: BTreeMap<String, String>,
    changes: Vec<String>,
}

impl AlarmsStayQuiet {
    /// Watches for the plan's bake time.
    pub fn from_plan(plan: &Plan) -> Self {
        Self { bake: plan.production.bake.unwrap_or(DEFAULT_BAKE), watch: Mutex::new(None) }
    }

    /// The watch begins with an answer that is there as soon as the plan says how long it takes.
    pub fn look_ahead<D: AnyDeployment>(context: &CheckContext<D>) -> BoxFuture<'_, ()> {
        let alarms = context.deployment.alarms();
        Box::pin(async {
            if alarms.enabled && !alarms.names.is_empty() {
                // The watch asks again, and tells why it could not.
                let _ = context.ports.alarms().states(&alarms.names).await;
            }
        })
    }

    /// Notes what this look saw, and gives back all that was seen.
    fn note(&self, alarms: &[AlarmState]) -> Watch {
        let mut watch = self.watch.lock().expect("nothing panics while it holds the watch");
        let watch =
            watch.get_or_insert_with(|| Watch { since: Instant::now(), states: BTreeMap::new(), changes: Vec::new() });
        for alarm in alarms {
            let before = watch.states.insert(alarm.name.clone(), alarm.state.clone());
            if let Some(before) = before.filter(|before| *before != alarm.state) {
                watch.changes.push(format!("{} went from {before} to {}", alarm.name, alarm.state));
            }
        }
        watch.clone()
    }
}

#[async_trait]
impl<D: AnyDeployment> Check<D> for AlarmsStayQuiet {
    fn id(&self) -> &'static str {
        "alarms-stay-quiet"
    }

    fn question(&self) -> String {
        format!("Do all alarms stay quiet for {} with users on green?", self.bake)
    }

    async fn ask(&self, context: &CheckContext<D>) -> Result<Answer, CannotTell> {
        let remedy = "Read green's log from the time of the alarm; check that users went back to blue.";
        let (alarms, allowed) = match read(context).await? {
            Reading::NoneWatched(why) => return Ok(Answer::yes(why)),
            Reading::Missing(no) => return Ok(no),
            Reading::Firing(seen) => return Ok(Answer::no(seen, remedy)),
            Reading::Quiet { alarms, allowed, .. } => (alarms, allowed),
        };
        let watch = self.note(&alarms);
        let watched = watch.since.elapsed();
        // ECS has baked the step that is over, and bakes the next.
        let bake = if context.deployment.is_stepping() { Duration::ZERO } else { self.bake.duration() };
        let left = bake.saturating_sub(watched);
        if left > context.left_to_wait() {
            let left = context.left_to_wait().as_secs();
            return Err(match context.waits {
                Waits::Here => cannot_tell(
                    format!("the alarms for {}: the function ends in {left} s", self.bake),
                    "Raise the function's timeout above production.bake, or shorten production.bake.",
                ),
                Waits::ThenElsewhere { .. } | Waits::Elsewhere { .. } => cannot_tell(
                    format!("the alarms for {}: a hook waits for {left} s more at most", self.bake),
                    "Shorten production.bake, and leave what is longer to the deployment's own wait with its alarms.",
                ),
            });
        }
        let quiet = alarms.iter().filter(|alarm| alarm.state != "ALARM").count();
        let watched = seconds(watched.min(self.bake.duration()));
        let mut seen = format!("{} quiet for {watched}", count(quiet, "alarm"));
        if !watch.changes.is_empty() {
            seen.push_str(&format!("; {}", watch.changes.join(", ")));
        }
        let allowed = allowed.map(|by| format!("; {by}")).unwrap_or_default();
        if left.is_zero() {
            seen.push_str(&allowed);
            return Ok(Answer::yes(seen));
        }
        let pause = (self.bake.duration() / 10).clamp(LOOK_AGAIN.0, LOOK_AGAIN.1);
        let pause = context.pause(pause).min(left);
        Ok(Answer::not_yet(format!("{seen} of {}{allowed}", self.bake), pause, remedy))
    }

    fn remember(&self) -> Option<Value> {
        let watch = self.watch.lock().expect("nothing panics while it holds the watch");
        let watch = watch.as_ref()?;
        let mut remembered = since::remember(watch.since);
        remembered["states"] = json!(watch.states);
        remembered["changes"] = json!(watch.changes);
        Some(remembered)
    }

    fn recall(&self, remembered: &Value) {
        let Some(since) = since::recall(remembered) else { return };
        let part = |name: &str| remembered.get(name).cloned().unwrap_or_default();
        let (states, changes) = (serde_json::from_value(part("states")), serde_json::from_value(part("changes")));
        let watch = Watch { since, states: states.unwrap_or_default(), changes: changes.unwrap_or_default() };
        *self.watch.lock().expect("nothing panics while it holds the watch") = Some(watch);
    }
}

/// `12 s`.
fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use insta::assert_snapshot;

    use super::AlarmsStayQuiet;
    use crate::check::CheckContext;
    use crate::checks::alarms::alarm;
    use crate::checks::told::told;
    use crate::deployment::{AlarmConfiguration, Deployment};
    use crate::fakes::{Fakes, deployment};
    use crate::plan::Plan;
    use crate::stage::Stage;

    fn baking(bake: &str) -> AlarmsStayQuiet {
        let plan = format!("version: 1\nproduction: {{ bake: {bake} }}\n");
        AlarmsStayQuiet::from_plan(&Plan::parse(&plan, "plan.yaml").expect("a plan"))
    }

    fn world(state: &str) -> (Fakes, CheckContext) {
        let fakes = Fakes::well();
        fakes.state().alarms = vec![alarm("orders-5xx", state), alarm("orders-unhealthy-hosts", "OK")];
        let context = fakes.context(Stage::AfterAllowTraffic);
        (fakes, context)
    }

    #[tokio::test(start_paused = true)]
    async fn passes_when_the_bake_time_is_over() {
        let (_, context) = world("OK");
        let check = baking("3m");
        let first = told(&check, &context).await;
        tokio::time::advance(Duration::from_secs(178)).await;
        let nearly = told(&check, &context).await;
        tokio::time::advance(Duration::from_secs(2)).await;
        let last = told(&check, &context).await;
        assert_snapshot!([first, nearly, last].join("\n"), @"
        NOT YET (again in 5000 ms)
          2 alarms quiet for 0 s of 3m
          do: Read green's log from the time of the alarm; check that users went back to blue.
        NOT YET (again in 2000 ms)
          2 alarms quiet for 178 s of 3m
          do: Read green's log from the time of the alarm; check that users went back to blue.
        PASSED
          2 alarms quiet for 180 s
        ");
    }

    #[tokio::test(start_paused = true)]
    async fn fails_at_once_when_an_alarm_fires() {
        let (fakes, context) = world("OK");
        let check = baking("3m");
        told(&check, &context).await;
        fakes.state().alarms[0].state = "ALARM".to_owned();
        assert_snapshot!(told(&check, &context).await, @"
        FAILED
          orders-5xx has been in ALARM since 2026-11-21T12:00:00Z: Threshold Crossed: 1 datapoint [7.0] was greater than the threshold (5.0).
          do: Read green's log from the time of the alarm; check that users went back to blue.
        ");
    }

    #[tokio::test(start_paused = true)]
    async fn tells_which_alarms_changed_meanwhile() {
        let (fakes, context) = world("INSUFFICIENT_DATA");
        let check = baking("10s");
        told(&check, &context).await;
        fakes.state().alarms[0].state = "OK".to_owned();
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_snapshot!(told(&check, &context).await, @"
        PASSED
          2 alarms quiet for 10 s; orders-5xx went from INSUFFICIENT_DATA to OK
        ");
    }

    #[tokio::test]
    async fn passes_at_once_when_no_alarm_is_configured() {
        let quiet = Deployment { alarms: AlarmConfiguration::default(), ..deployment() };
        let context = Fakes::well().context_of(Stage::AfterAllowTraffic, quiet);
        assert_snapshot!(told(&baking("3m"), &context).await, @"
        PASSED
          no alarm is configured, so none will stop this deployment
        ");
    }

    /// Better said at once than found out when the time is up.
    #[tokio::test(start_paused = true)]
    async fn cannot_tell_when_the_function_ends_before_the_bake_time() {
        let (_, context) = world("OK");
        assert_snapshot!(told(&baking("1h"), &context).await, @"
        CANNOT TELL
          the alarms for 1h: the function ends in 585 s
          do: Raise the function's timeout above production.bake, or shorten production.bake.
        ");
    }

    #[tokio::test]
    async fn cannot_tell_when_cloudwatch_does_not_answer() {
        let (fakes, context) = world("OK");
        fakes.state().unreachable = Some(true);
        assert_snapshot!(told(&baking("3m"), &context).await, @"
        CANNOT TELL
          state of the alarms: the call was refused
          do: Allow the call in the function's role.
        ");
    }

    #[test]
    fn the_default_is_a_minute() {
        assert_eq!(AlarmsStayQuiet::from_plan(&Plan::defaults()).bake.to_string(), "1m");
    }
}

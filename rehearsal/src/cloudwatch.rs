//! CloudWatch's alarms: judged every minute of the world, on minutes that have ended.
//!
//! How missing data counts is documented; its two tables are this module's tests.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html>

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::world::World;
use crate::world::alarms::{Alarm, AlarmState, Comparison, MissingData};
use crate::world::journal::Who;
use crate::world::metrics::Metrics;

/// Periods that are looked at beyond the evaluation periods, in case some have no data. AWS tells no number but in its
/// examples, where three periods have a range of five.
const MARGIN: u32 = 2;
/// How long after the end of a minute its alarms are judged. AWS takes two to three minutes in practice, and documents
/// no figure; waiting longer would only make every rehearsed alarm later.
const SETTLES: SignedDuration = SignedDuration::from_secs(1);

/// Judges every alarm of the world every minute. Runs for ever.
pub async fn run(world: Arc<World>) {
    let mut minute = this_minute(world.now());
    loop {
        minute += SignedDuration::from_mins(1);
        world.clock.sleep_until(minute + SETTLES).await;
        judge(&world, minute);
    }
}

/// Judges every alarm as of `minute`, and writes down those that change.
fn judge(world: &World, minute: Timestamp) {
    let alarms = world.read(|state| state.alarms.clone());
    let mut changed = Vec::new();
    for alarm in alarms {
        let (next, reason) = evaluate(&alarm, &world.metrics, minute);
        if next != alarm.state {
            changed.push((alarm.name, next, reason));
        }
    }
    if changed.is_empty() {
        return;
    }
    let now = world.now();
    world.update(|state| {
        for (name, next, reason) in changed {
            let Some(alarm) = state.alarms.iter_mut().find(|alarm| alarm.name == name) else { continue };
            let line = format!("{name}: {} → {}: {reason}", alarm.state.name(), next.name());
            alarm.state = next;
            alarm.reason = reason;
            alarm.since = now;
            state.journal.say(now, Who::CloudWatch, line);
        }
    });
}

/// The state of an alarm by what was counted before `now`, and why, in CloudWatch's way of putting it. The minute that
/// `now` lies in has not ended and does not count.
pub fn evaluate(alarm: &Alarm, metrics: &Metrics, now: Timestamp) -> (AlarmState, String) {
    let range = Range::read(alarm, metrics, now);
    let wanted = alarm.evaluation_periods.max(1) as usize;
    let needed = alarm.datapoints_to_alarm.clamp(1, alarm.evaluation_periods.max(1)) as usize;
    let real: Vec<&Point> = range.points.iter().flatten().rev().take(wanted).collect();
    let breaching = real.iter().filter(|point| point.breaching).count();
    let filled = wanted - real.len();

    let by_count = |count: usize| if count >= needed { AlarmState::Alarm } else { AlarmState::Ok };
    let state = if filled == 0 {
        by_count(breaching)
    } else {
        match alarm.missing {
            MissingData::Breaching => by_count(breaching + filled),
            MissingData::NotBreaching => by_count(breaching),
            MissingData::Missing if real.is_empty() => AlarmState::InsufficientData,
            MissingData::Missing if range.is_old_breach(needed) => AlarmState::Alarm,
            MissingData::Missing => by_count(breaching),
            // Nothing that was seen speaks against the present state.
            MissingData::Ignore if breaching == real.len() && breaching < needed => alarm.state,
            MissingData::Ignore => by_count(breaching),
        }
    };
    if state == alarm.state && filled > 0 && alarm.missing == MissingData::Ignore && real.is_empty() {
        return (state, alarm.reason.clone());
    }
    (state, reason(alarm, state, &real, filled))
}

/// The periods that an alarm looks at, oldest first, up to the last that has ended.
struct Range {
    points: Vec<Option<Point>>,
}

struct Point {
    at: Timestamp,
    value: f64,
    breaching: bool,
}

impl Range {
    fn read(alarm: &Alarm, metrics: &Metrics, now: Timestamp) -> Self {
        let minutes = i64::from(alarm.period_minutes.max(1));
        let period = SignedDuration::from_mins(minutes);
        let periods = i64::from(alarm.evaluation_periods.max(1) + MARGIN);
        let end = this_minute(now);
        let begin = end - SignedDuration::from_mins(minutes * periods);
        let mut points: Vec<Option<Point>> = (0..periods).map(|_| None).collect();
        for (at, bucket) in metrics.periods(&alarm.metric, begin, end, period) {
            let index = at.duration_since(begin).as_secs() / (minutes * 60);
            let slot = usize::try_from(index).ok().and_then(|index| points.get_mut(index));
            if let (Some(slot), Some(value)) = (slot, bucket.statistic(&alarm.statistic)) {
                *slot = Some(Point { at, value, breaching: breaches(alarm, value) });
            }
        }
        Self { points }
    }

    /// Whether everything that was seen breaches and the oldest of it is `needed` periods old: the next data points
    /// could no longer make it a false alarm.
    fn is_old_breach(&self, needed: usize) -> bool {
        let Some(oldest) = self.points.iter().position(Option::is_some) else { return false };
        self.points.iter().flatten().all(|point| point.breaching) && self.points.len() - oldest >= needed
    }
}

fn breaches(alarm: &Alarm, value: f64) -> bool {
    match alarm.comparison {
        Comparison::AtLeast => value >= alarm.threshold,
        Comparison::Above => value > alarm.threshold,
        Comparison::Below => value < alarm.threshold,
        Comparison::AtMost => value <= alarm.threshold,
    }
}

/// As CloudWatch says it: `Threshold Crossed: 1 datapoint [5.0 (21/11/26 13:04:00)] was …`.
fn reason(alarm: &Alarm, state: AlarmState, real: &[&Point], filled: usize) -> String {
    let points = |count: usize| if count == 1 { "1 datapoint".to_owned() } else { format!("{count} datapoints") };
    if state == AlarmState::InsufficientData {
        let were = if filled == 1 { "was" } else { "were" };
        return format!("Insufficient Data: {} {were} unknown.", points(filled));
    }
    let treated = match alarm.missing {
        MissingData::Breaching => Some("Breaching"),
        MissingData::NotBreaching => Some("NonBreaching"),
        MissingData::Ignore | MissingData::Missing => None,
    };
    let treated = treated.filter(|_| filled > 0).map(|treated| {
        let (missing, were) = if filled == 1 { ("1 missing datapoint", "was") } else { ("missing datapoints", "were") };
        let count = if filled == 1 { String::new() } else { format!("{filled} ") };
        format!(" and {count}{missing} {were} treated as [{treated}]")
    });
    let treated = treated.unwrap_or_default();
    if real.is_empty() {
        let periods = if filled == 1 { "1 period".to_owned() } else { format!("{filled} periods") };
        return format!("Threshold Crossed: no datapoints were received for {periods}{treated}.");
    }

    // Those that make the state what it is; only when there are none, because missing ones do, all that were seen.
    let telling: Vec<_> = real.iter().filter(|point| point.breaching == (state == AlarmState::Alarm)).collect();
    let telling = if telling.is_empty() { real.iter().collect() } else { telling };
    let values: Vec<String> =
        telling.iter().map(|point| format!("{:?} ({})", point.value, point.at.strftime("%d/%m/%y %H:%M:%S"))).collect();
    let counted = if alarm.evaluation_periods > 1 {
        format!("{} out of the last {} datapoints", telling.len(), real.len())
    } else {
        points(telling.len())
    };
    let were = if telling.len() == 1 { "was" } else { "were" };
    let not = if telling.iter().all(|point| point.breaching) { "" } else { "not " };
    let than = match alarm.comparison {
        Comparison::AtLeast => "greater than or equal to",
        Comparison::Above => "greater than",
        Comparison::Below => "less than",
        Comparison::AtMost => "less than or equal to",
    };
    let minimum = if state == AlarmState::Alarm && alarm.evaluation_periods > 1 {
        format!(" (minimum {} for OK -> ALARM transition)", points(alarm.datapoints_to_alarm as usize))
    } else {
        String::new()
    };
    let threshold = alarm.threshold;
    format!(
        "Threshold Crossed: {counted} [{}] {were} {not}{than} the threshold ({threshold:?}){minimum}{treated}.",
        values.join(", ")
    )
}

fn this_minute(now: Timestamp) -> Timestamp {
    now - SignedDuration::from_secs(now.as_second().rem_euclid(60))
        - SignedDuration::from_nanos(i64::from(now.subsec_nanosecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::world::metrics::MetricId;

    fn alarm(evaluation_periods: u32, datapoints_to_alarm: u32, missing: MissingData) -> Alarm {
        Alarm {
            name: "orders-green-5xx".to_owned(),
            metric: MetricId::new("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", &[]),
            statistic: "Sum".to_owned(),
            period_minutes: 1,
            evaluation_periods,
            datapoints_to_alarm,
            threshold: 1.0,
            comparison: Comparison::AtLeast,
            missing,
            state: AlarmState::Ok,
            reason: "before".to_owned(),
            since: start(),
        }
    }

    fn start() -> Timestamp {
        "2026-11-21T13:00:00Z".parse().expect("a time")
    }

    /// Minutes from 13:00 on as AWS's tables write them: `0` is good, `X` breaches, `-` is missing.
    fn minutes(alarm: &Alarm, pattern: &str) -> (Metrics, Timestamp) {
        let metrics = Metrics::default();
        let mut at = start();
        for point in pattern.split(' ') {
            match point {
                "X" => metrics.record(&alarm.metric, at + SignedDuration::from_secs(20), 5.0),
                "0" => metrics.record(&alarm.metric, at + SignedDuration::from_secs(20), 0.0),
                _ => {}
            }
            at += SignedDuration::from_mins(1);
        }
        (metrics, at)
    }

    /// `O`, `A`, `I` for the states; `=` where the present state is kept.
    fn states(evaluation_periods: u32, datapoints_to_alarm: u32, pattern: &str) -> String {
        [MissingData::Missing, MissingData::Ignore, MissingData::Breaching, MissingData::NotBreaching]
            .map(|missing| {
                let told = [AlarmState::Ok, AlarmState::Alarm, AlarmState::InsufficientData].map(|present| {
                    let alarm = Alarm { state: present, ..alarm(evaluation_periods, datapoints_to_alarm, missing) };
                    let (metrics, now) = minutes(&alarm, pattern);
                    evaluate(&alarm, &metrics, now).0
                });
                match told {
                    [AlarmState::Ok, AlarmState::Alarm, AlarmState::InsufficientData] => '=',
                    [AlarmState::Ok, AlarmState::Ok, AlarmState::Ok] => 'O',
                    [AlarmState::Alarm, AlarmState::Alarm, AlarmState::Alarm] => 'A',
                    [AlarmState::InsufficientData, AlarmState::InsufficientData, AlarmState::InsufficientData] => 'I',
                    other => panic!("{pattern}: {other:?}"),
                }
            })
            .iter()
            .collect()
    }

    /// Columns: missing, ignore, breaching, notBreaching.
    #[test]
    fn missing_data_counts_as_awss_table_for_three_of_three_says() {
        let table = [
            ("0 - X - X", "OOOO"),
            ("0 - - - -", "OOOO"),
            ("- - - - -", "I=AO"),
            ("0 X X - X", "AAAA"),
            ("- - X - -", "A=AO"),
        ];
        for (pattern, expected) in table {
            assert_eq!(states(3, 3, pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn missing_data_counts_as_awss_table_for_two_of_three_says() {
        let table = [
            ("0 - X - X", "AAAA"),
            ("0 0 X 0 X", "AAAA"),
            ("0 - X - -", "OOAO"),
            ("- - - - 0", "OOAO"),
            ("- - - X -", "A=AO"),
        ];
        for (pattern, expected) in table {
            assert_eq!(states(3, 2, pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn the_present_minute_does_not_count_yet() {
        let alarm = alarm(1, 1, MissingData::NotBreaching);
        let (metrics, now) = minutes(&alarm, "0 X");
        let within = now - SignedDuration::from_secs(1);
        assert_eq!(evaluate(&alarm, &metrics, within).0, AlarmState::Ok);
        assert_eq!(evaluate(&alarm, &metrics, now).0, AlarmState::Alarm);
    }

    /// The last real data point counts for as long as it is within the range, so an alarm recovers three minutes after
    /// errors that leave no data when they stop.
    #[test]
    fn an_alarm_on_errors_recovers_when_the_last_of_them_has_left_the_range() {
        let alarm = alarm(1, 1, MissingData::NotBreaching);
        let after = |pattern| {
            let (metrics, now) = minutes(&alarm, pattern);
            evaluate(&alarm, &metrics, now).0
        };
        assert_eq!(after("X"), AlarmState::Alarm);
        assert_eq!(after("X - -"), AlarmState::Alarm);
        assert_eq!(after("X - - -"), AlarmState::Ok);
        assert_eq!(after("X 0"), AlarmState::Ok);
    }

    #[test]
    fn every_comparison_compares() {
        let table = [
            (Comparison::AtLeast, [false, true, true]),
            (Comparison::Above, [false, false, true]),
            (Comparison::Below, [true, false, false]),
            (Comparison::AtMost, [true, true, false]),
        ];
        for (comparison, expected) in table {
            let alarm = Alarm { comparison, threshold: 2.0, ..alarm(1, 1, MissingData::Missing) };
            assert_eq!([1.0, 2.0, 3.0].map(|value| breaches(&alarm, value)), expected, "{comparison:?}");
        }
    }

    #[test]
    fn reasons_are_put_as_cloudwatch_puts_them() {
        let reason = |alarm: &Alarm, pattern| {
            let (metrics, now) = minutes(alarm, pattern);
            evaluate(alarm, &metrics, now).1
        };
        let one = alarm(1, 1, MissingData::NotBreaching);
        let two_of_three = Alarm { comparison: Comparison::Above, ..alarm(3, 2, MissingData::Breaching) };
        let unknown = alarm(1, 1, MissingData::Missing);
        insta::assert_snapshot!(
            [
                reason(&one, "X"),
                reason(&one, "0"),
                reason(&one, "-"),
                reason(&two_of_three, "0 X X"),
                reason(&two_of_three, "- - - - X"),
                reason(&two_of_three, "- - - - -"),
                reason(&unknown, "-"),
            ]
            .join("\n"),
            @r"
        Threshold Crossed: 1 datapoint [5.0 (21/11/26 13:00:00)] was greater than or equal to the threshold (1.0).
        Threshold Crossed: 1 datapoint [0.0 (21/11/26 13:00:00)] was not greater than or equal to the threshold (1.0).
        Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as [NonBreaching].
        Threshold Crossed: 2 out of the last 3 datapoints [5.0 (21/11/26 13:02:00), 5.0 (21/11/26 13:01:00)] were greater than the threshold (1.0) (minimum 2 datapoints for OK -> ALARM transition).
        Threshold Crossed: 1 out of the last 1 datapoints [5.0 (21/11/26 13:04:00)] was greater than the threshold (1.0) (minimum 2 datapoints for OK -> ALARM transition) and 2 missing datapoints were treated as [Breaching].
        Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were treated as [Breaching].
        Insufficient Data: 1 datapoint was unknown.
        "
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_fires_in_the_minute_after_and_recovers_and_the_journal_says_so() {
        let world = Arc::new(World::new(Clock::new()));
        let alarm = alarm(1, 1, MissingData::NotBreaching);
        world.update(|state| state.alarms.push(alarm.clone()));
        let actor = tokio::spawn(run(world.clone()));
        let errors = world.now();
        world.metrics.record(&alarm.metric, errors, 3.0);
        let until =
            |wanted| world.until(move |state| (state.alarms[0].state == wanted).then_some(state.alarms[0].since));
        let fired = until(AlarmState::Alarm).await;
        assert!(fired.duration_since(errors).as_secs() <= 62, "fired at {fired}, errors at {errors}");
        let recovered = until(AlarmState::Ok).await;
        let minutes = this_minute(recovered).duration_since(this_minute(errors)).as_secs() / 60;
        assert_eq!(minutes, 4, "errors at {errors}, recovered at {recovered}");
        actor.abort();
        let journal: Vec<_> =
            world.read(|state| state.journal.entries.iter().map(|entry| (entry.who, entry.text.clone())).collect());
        let expected = ["orders-green-5xx: OK → ALARM: Threshold", "orders-green-5xx: ALARM → OK: Threshold"];
        assert_eq!(journal.len(), 2, "{journal:?}");
        for ((who, text), expected) in journal.iter().zip(expected) {
            assert!(*who == Who::CloudWatch && text.starts_with(expected), "{text}");
        }
    }
}

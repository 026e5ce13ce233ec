//! Rules for single values of a scenario: what AWS takes, and what this machine can bear. A value that breaks one is
//! refused where it stands, with what was expected and the nearest valid word.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use greenlight::document::{Spanned, one_of};
use greenlight::lifecycle_stage::LifecycleStage;
use greenlight::units::{Percent, Rate, Span};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use crate::codedeploy::api::EVENTS;

/// Tasks that are run at most: each is a process on this machine.
const MOST_TASKS: u64 = 20;
/// Production requests a second at most: what the load balancer carries with room to spare.
const MOST_REQUESTS: f64 = 5000.0;

/// A text that keeps `rule`.
fn text<'de, D: Deserializer<'de>>(
    deserializer: D,
    expecting: &'static str,
    rule: fn(&str) -> Result<(), String>,
) -> Result<String, D::Error> {
    struct Ruled(&'static str, fn(&str) -> Result<(), String>);

    impl Visitor<'_> for Ruled {
        type Value = String;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str(self.0)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
            (self.1)(text).map_err(E::custom)?;
            Ok(text.to_owned())
        }
    }

    deserializer.deserialize_str(Ruled(expecting, rule))
}

/// A user of PostgreSQL.
pub(super) fn database_user<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let rule = |name: &str| {
        let fits = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
        if (1..=63).contains(&name.len()) && name.chars().all(fits) && !["postgres", "rds_iam"].contains(&name) {
            Ok(())
        } else {
            Err("a database user has 1 to 63 letters, digits, `_`, `.` and `-`, and is not `postgres`".to_owned())
        }
    };
    text(deserializer, "a database user", rule).map(Some)
}

/// A whole number within limits; `why` is what the limits are good for.
fn whole<'de, D: Deserializer<'de>>(
    deserializer: D,
    limits: RangeInclusive<u64>,
    why: &'static str,
) -> Result<u32, D::Error> {
    struct Limited(RangeInclusive<u64>, &'static str);

    impl Visitor<'_> for Limited {
        type Value = u32;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(out, "a whole number from {} to {}", self.0.start(), self.0.end())
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<u32, E> {
            let within = self.0.contains(&number).then_some(number).and_then(|number| u32::try_from(number).ok());
            within.ok_or_else(|| {
                E::custom(format!("expected a whole number from {} to {}{}", self.0.start(), self.0.end(), self.1))
            })
        }
    }

    deserializer.deserialize_u64(Limited(limits, why))
}

/// A duration within limits, in seconds.
fn span<'de, D: Deserializer<'de>>(
    deserializer: D,
    limits: RangeInclusive<u64>,
    whose: &str,
) -> Result<Span, D::Error> {
    let span = Span::deserialize(deserializer)?;
    let duration = span.duration();
    if limits.contains(&duration.as_secs()) && (duration.subsec_nanos() == 0 || duration.as_secs() < *limits.end()) {
        return Ok(span);
    }
    let end = |seconds: u64| Span::new(std::time::Duration::from_secs(seconds));
    let (from, to) = (end(*limits.start()), end(*limits.end()));
    Err(de::Error::custom(format!("`{span}` is out of bounds; {whose} takes {from} to {to}")))
}

/// A duration of so many whole minutes.
fn whole_minutes<'de, D: Deserializer<'de>>(
    deserializer: D,
    limits: RangeInclusive<u64>,
    what: &str,
) -> Result<Span, D::Error> {
    let span = Span::deserialize(deserializer)?;
    let seconds = span.duration().as_secs();
    let sound = span.duration().subsec_nanos() == 0 && seconds % 60 == 0 && limits.contains(&(seconds / 60));
    let end = |minutes: u64| Span::new(std::time::Duration::from_secs(minutes * 60));
    let wrong = || {
        let (from, to) = (end(*limits.start()), end(*limits.end()));
        de::Error::custom(format!("`{span}` is no {what}; expected whole minutes, `{from}` to `{to}`"))
    };
    if sound { Ok(span) } else { Err(wrong()) }
}

/// Some words.
pub(super) fn story<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    text(deserializer, "a text", |story| {
        said(story, "the story is empty; expected a sentence or two on what happens here")
    })
}

/// The service's name: also that of its load balancer, and with `-1` and `-2` those of its target groups.
pub(super) fn service_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    text(deserializer, "a name", |name| {
        let sound = (1..=30).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !name.starts_with('-')
            && !name.ends_with('-');
        held(sound, || {
            format!(
                "`{name}` cannot name a service and its target groups; expected 1 to 30 letters, digits and hyphens, no \
                 hyphen at either end"
            )
        })
    })
}

/// The cluster's name.
pub(super) fn cluster_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    text(deserializer, "a name", |name| {
        let of_it = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let sound = (1..=255).contains(&name.len()) && name.bytes().all(of_it);
        held(sound, || format!("`{name}` cannot name a cluster; expected letters, digits, hyphens and underscores"))
    })
}

/// The name of a function or of an alias.
pub(super) fn function_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    text(deserializer, "a name", |name| {
        let of_it = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let sound = (1..=64).contains(&name.len()) && name.bytes().all(of_it);
        let is_version = name.bytes().all(|byte| byte.is_ascii_digit());
        held(sound && !is_version, || {
            format!(
                "`{name}` can name neither a function nor an alias; expected up to 64 letters, digits, hyphens and \
                 underscores, not digits alone"
            )
        })
    })
}

/// How many tasks.
pub(super) fn tasks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    whole(deserializer, 1..=MOST_TASKS, ": each task is a process on this machine")
}

/// A line for the shell.
pub(super) fn command<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let command = text(deserializer, "a shell command", |command| {
        said(command, "the command is empty; expected a line for the shell")?;
        held(!command.contains('\0'), || "a command cannot hold the character 0".to_owned())
    });
    command.map(Some)
}

/// The name of an environment variable.
pub(super) fn variable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    text(deserializer, "the name of an environment variable", |name| {
        let sound = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
        held(sound, || {
            format!(
                "`{name}` cannot name an environment variable; expected letters, digits and underscores, no digit first"
            )
        })
    })
}

/// Environment variables.
pub(super) fn environment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    #[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
    struct Name(#[serde(deserialize_with = "variable")] String);

    #[derive(Deserialize)]
    struct Content(#[serde(deserialize_with = "content")] String);

    fn content<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        text(deserializer, "a text", |value| {
            held(!value.contains('\0'), || "an environment variable cannot hold the character 0".to_owned())
        })
    }

    let variables = BTreeMap::<Name, Content>::deserialize(deserializer)?;
    Ok(variables.into_iter().map(|(name, content)| (name.0, content.0)).collect())
}

/// Path and query of a request.
pub(super) fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    text(deserializer, "a path", |path| {
        held(path.starts_with('/'), || format!("`{path}` is no path; expected one that starts with `/`"))?;
        let sound = !path.contains('#') && path.parse::<http::uri::PathAndQuery>().is_ok();
        held(sound, || format!("`{path}` cannot be sent as it is; percent-encode what is not a letter of a URL"))
    })
}

/// The method of a request.
pub(super) fn method<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    text(deserializer, "an HTTP method", |method| {
        known("HTTP method", method, &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
    })
}

/// Requests a second.
pub(super) fn rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Rate, D::Error> {
    let rate = Rate::deserialize(deserializer)?;
    let sound = (1.0..=MOST_REQUESTS).contains(&rate.per_second());
    let wrong = || de::Error::custom(format!("users cannot send {rate} here; expected `1/s` to `{MOST_REQUESTS}/s`"));
    if sound { Ok(rate) } else { Err(wrong()) }
}

/// An operation that the rehearsal's endpoint answers.
pub(super) fn operation<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    text(deserializer, "an operation of AWS", |operation| {
        let known: Vec<&str> = crate::wire::implemented().into_iter().map(|(_, name)| name).collect();
        if known.contains(&operation) {
            return Ok(());
        }
        // All of them would be a page.
        let meant = greenlight::document::nearest(operation, known);
        let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
        Err(format!("the rehearsal answers no operation `{operation}`{meant}"))
    })
}

/// How many calls a fault strikes.
pub(super) fn times<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    whole(deserializer, 1..=1_000_000, "").map(Some)
}

/// A lifecycle event of CodeDeploy, or a stage of ECS.
pub(super) fn event<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    text(deserializer, "a lifecycle event", |event| {
        let of_codedeploy = EVENTS.iter().map(|(name, _)| *name);
        let all: Vec<&str> = of_codedeploy.chain(LifecycleStage::ALL.map(LifecycleStage::name)).collect();
        known("lifecycle event", event, &all)
    })
    .map(Some)
}

/// How long both versions run after a shift that ECS makes.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html>
pub(super) fn bake<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Span>, D::Error> {
    whole_minutes(deserializer, 0..=1440, "bake").map(Some)
}

/// When ECS gives up a hook: 14 days at most, of a function one day.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentLifecycleHookTimeoutConfiguration.html>
pub(super) fn hook_timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
    whole_minutes(deserializer, 1..=20_160, "timeout of a hook")
}

/// The name of an alarm.
pub(super) fn alarm_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    text(deserializer, "a name", |name| {
        said(name, "the alarm has no name")?;
        held(name.chars().count() <= 255, || "an alarm's name has 255 characters at most".to_owned())
    })
}

/// A statistic of CloudWatch.
pub(super) fn statistic<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    text(deserializer, "a statistic", |statistic| {
        let percentile = statistic.strip_prefix('p').and_then(|rank| rank.parse::<f64>().ok());
        if percentile.is_some_and(|rank| rank > 0.0 && rank <= 100.0) {
            return Ok(());
        }
        known("statistic", statistic, &["Sum", "Average", "Minimum", "Maximum", "SampleCount", "p50", "p90", "p99"])
    })
}

/// A number that an alarm can be held against.
pub(super) fn threshold<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let number = f64::deserialize(deserializer)?;
    if number.is_finite() { Ok(number) } else { Err(de::Error::custom("expected a number that is not infinite")) }
}

/// The length of an alarm's period.
pub(super) fn period<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
    whole_minutes(deserializer, 1..=1440, "period of an alarm")
}

/// How many periods an alarm looks at.
pub(super) fn periods<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    whole(deserializer, 1..=100, "")
}

/// Share of a step of a canary or linear configuration.
/// <https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_TimeBasedCanary.html>
pub(super) fn shift_percent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Percent, D::Error> {
    let percent = Percent::deserialize(deserializer)?;
    let sound = percent.percent().fract() == 0.0 && (1.0..=99.0).contains(&percent.percent());
    let wrong =
        || de::Error::custom(format!("`{percent}` is no step of a shift; expected whole percent, `1%` to `99%`"));
    if sound { Ok(percent) } else { Err(wrong()) }
}

/// Wait between two steps.
pub(super) fn shift_interval<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
    whole_minutes(deserializer, 1..=2880, "interval between steps")
}

/// How long blue is kept.
/// <https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_BlueInstanceTerminationOption.html>
pub(super) fn termination_wait<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Span>, D::Error> {
    whole_minutes(deserializer, 0..=2880, "termination wait").map(Some)
}

/// Memory of a function.
pub(super) fn memory<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    whole(deserializer, 128..=10_240, " (MiB)").map(Some)
}

/// Timeout of a function.
pub(super) fn function_timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Span>, D::Error> {
    span(deserializer, 1..=900, "a function's timeout").map(Some)
}

/// Between two health checks.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html>
pub(super) fn check_interval<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
    span(deserializer, 5..=300, "a health check's interval")
}

/// Until a health check counts as failed.
pub(super) fn check_timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Spanned<Span>, D::Error> {
    #[derive(Deserialize)]
    struct Timeout(#[serde(deserialize_with = "timeout")] Span);

    fn timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        span(deserializer, 2..=120, "a health check's timeout")
    }

    let Spanned { value, referenced, defined } = Spanned::<Timeout>::deserialize(deserializer)?;
    Ok(Spanned { value: value.0, referenced, defined })
}

/// Answers in a row.
pub(super) fn check_count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    whole(deserializer, 2..=10, "")
}

/// How long a deregistered target drains.
pub(super) fn deregistration_delay<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
    span(deserializer, 0..=3600, "a deregistration delay")
}

/// Status codes: `200`, `200,204`, `200-299`.
pub(super) fn matcher<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    text(deserializer, "status codes", |matcher| {
        let code = |text: &str| text.parse::<u16>().ok().filter(|code| (200..=499).contains(code));
        let sound = matcher.split(',').all(|part| match part.split_once('-') {
            Some((from, to)) => matches!((code(from), code(to)), (Some(from), Some(to)) if from <= to),
            None => code(part).is_some(),
        });
        held(sound, || {
            format!(
                "`{matcher}` matches no answer; expected codes from 200 to 499 such as `200`, `200,204` or `200-299`"
            )
        })
    })
}

fn said(text: &str, else_say: &str) -> Result<(), String> {
    held(!text.trim().is_empty(), || else_say.to_owned())
}

fn held(sound: bool, else_say: impl FnOnce() -> String) -> Result<(), String> {
    if sound { Ok(()) } else { Err(else_say()) }
}

fn known(what: &str, word: &str, valid: &[&str]) -> Result<(), String> {
    held(valid.contains(&word), || format!("unknown {what} `{word}`; {}", one_of(word, valid)))
}

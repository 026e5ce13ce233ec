//! `test_traffic.load`: how much is sent to green, and what must come of it.

use serde::Deserialize;

use super::Reader;
use super::chosen::Choice;
use super::request::Request;
use crate::document::{DocumentError, Spanned};
use crate::load::{Course, Percentile};
use crate::units::{Limit, Percent, Rate, Span};

/// Requests a second that a plan may ask for.
const HIGHEST_RATE: f64 = 10_000.0;
/// Seconds that a load may last: a function ends after fifteen minutes.
const LONGEST: u64 = 600;

/// How much is sent to green before users reach it.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedLoad {
    /// How much, and what must come of it.
    pub course: Course,
    /// What is sent, in turn.
    pub requests: Vec<Request>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct WrittenLoad {
    /// How many requests arrive in which time; arrivals do not wait for answers.
    rate: Spanned<Rate>,
    /// For how long.
    #[serde(rename = "for")]
    lasts: Spanned<Span>,
    /// Names of requests of `test_traffic.requests`, sent in turn; all that can be when missing.
    requests: Option<Vec<Spanned<String>>>,
    /// Whether requests may be sent that change something.
    #[serde(default)]
    any_method: bool,
    /// What green must bear; at least one limit.
    expect: Spanned<WrittenLimits>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct WrittenLimits {
    /// The share of requests that may fail.
    errors: Option<Limit<Percent>>,
    /// The time in which half of the requests must be answered.
    p50: Option<Limit<Span>>,
    /// The time in which 90 % of the requests must be answered.
    p90: Option<Limit<Span>>,
    /// The time in which 95 % of the requests must be answered.
    p95: Option<Limit<Span>>,
    /// The time in which 99 % of the requests must be answered.
    p99: Option<Limit<Span>>,
    /// The time in which 99.9 % of the requests must be answered.
    #[serde(rename = "p99.9")]
    p999: Option<Limit<Span>>,
}

impl Reader<'_> {
    /// A load that could not show what it is to show is refused now, and not after it was sent.
    pub(super) fn load(&self, written: Spanned<WrittenLoad>, choice: &Choice) -> Result<PlannedLoad, DocumentError> {
        let Spanned { value: load, referenced: place, .. } = written;
        let Spanned { value: limits, referenced: limits_place, .. } = load.expect;
        let percentiles = [
            (Percentile::P50, limits.p50),
            (Percentile::P90, limits.p90),
            (Percentile::P95, limits.p95),
            (Percentile::P99, limits.p99),
            (Percentile::P999, limits.p999),
        ];
        let requests = self.chosen(load.requests, place, choice, load.any_method);
        let course = Course {
            rate: load.rate.value,
            lasts: load.lasts.value,
            errors: limits.errors,
            percentiles: percentiles.into_iter().filter_map(|(which, limit)| Some((which, limit?))).collect(),
        };
        if course.errors.is_none() && course.percentiles.is_empty() {
            let message = "nothing is expected of the load; expected `errors`, or a percentile such as `p99`";
            return Err(self.lacking(limits_place, message));
        }
        if course.rate.per_second() > HIGHEST_RATE {
            let message = format!("`{}` is more than one function sends; at most {HIGHEST_RATE}/s", course.rate);
            return Err(self.wrong(load.rate.referenced, message));
        }
        let seconds = course.lasts.duration().as_secs();
        if seconds > LONGEST || course.lasts.duration().is_zero() {
            return Err(self.wrong(load.lasts.referenced, "expected more than 0s and at most 10m"));
        }
        let (total, fewest) = (course.total(), course.fewest());
        if total < fewest {
            let message = format!(
                "{} for {} are {total} requests; what is expected takes at least {fewest} to show",
                course.rate, course.lasts
            );
            return Err(self.wrong(load.lasts.referenced, message));
        }
        Ok(PlannedLoad { course, requests })
    }
}

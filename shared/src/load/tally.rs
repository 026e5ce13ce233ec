//! What became of the requests of a load.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::{Course, Percentile};
use crate::ports::{ProbeError, ProbeResponse};
use crate::units::{Limit, Percent, Span};

/// Longest time that is told apart from longer ones, in microseconds.
const LONGEST: u64 = 120_000_000;

/// Kinds of faults that are counted one by one; the rest is counted together.
const KINDS: usize = 6;

/// What became of the requests of a load.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Requests that were to be sent.
    pub planned: u64,
    /// Requests that were sent.
    pub sent: u64,
    /// Answers, whatever they said.
    pub answered: u64,
    /// Answers that were not as expected, and requests without one.
    pub failed: u64,
    /// What was wrong, and how often.
    pub faults: BTreeMap<String, u64>,
    /// Requests under way at the same time, at most.
    pub most_under_way: usize,
    /// Requests that were due while as many were under way as may be: they left when there was room.
    pub waited: u64,
    /// Requests that left late although there was room: this machine was not fast enough.
    pub late: u64,
    /// Requests under way when it was cut short.
    pub unfinished: u64,
    /// Whether it was cut short, because nothing could change its verdict any more.
    pub cut_short: bool,
    /// From the first request to the end.
    pub took: Duration,
    /// Microseconds from due to answered.
    times: Histogram<u32>,
    /// Requests beyond the limit of each percentile, those without an answer too.
    beyond: Vec<u64>,
    limits: Vec<Limit<Span>>,
}

impl Tally {
    pub(super) fn new(course: &Course, planned: u64) -> Self {
        let limits: Vec<_> = course.percentiles.iter().map(|(_, limit)| *limit).collect();
        Self {
            planned,
            sent: 0,
            answered: 0,
            failed: 0,
            faults: BTreeMap::new(),
            most_under_way: 0,
            waited: 0,
            late: 0,
            unfinished: 0,
            cut_short: false,
            took: Duration::ZERO,
            times: Histogram::new_with_bounds(1, LONGEST, 3).expect("the bounds are far enough apart"),
            beyond: vec![0; limits.len()],
            limits,
        }
    }

    pub(super) fn note(&mut self, took: Duration, answer: &Result<ProbeResponse, ProbeError>, wrong: Option<String>) {
        let is_beyond = |limit: &Limit<Span>| answer.is_err() || !limit.holds(&Span::new(took));
        for (beyond, limit) in self.beyond.iter_mut().zip(&self.limits) {
            *beyond += u64::from(is_beyond(limit));
        }
        let fault = match answer {
            Ok(_) => {
                self.answered += 1;
                self.times.saturating_record(u64::try_from(took.as_micros()).unwrap_or(LONGEST));
                wrong
            }
            Err(error) => Some(error.reason.clone()),
        };
        let Some(fault) = fault else { return };
        self.failed += 1;
        let kind =
            if self.faults.len() < KINDS || self.faults.contains_key(&fault) { fault } else { OTHERS.to_owned() };
        *self.faults.entry(kind).or_default() += 1;
    }

    /// Requests that have ended, one way or the other.
    pub fn ended(&self) -> u64 {
        self.sent - self.unfinished
    }

    /// Share of the requests that ended which failed.
    pub fn error_share(&self) -> Percent {
        Percent::of(self.failed, self.ended())
    }

    /// The time in which this share of the requests that ended was answered; `None` when that many were not answered at
    /// all.
    #[expect(clippy::cast_precision_loss, reason = "nobody sends 2^53 requests")]
    pub fn percentile(&self, percentile: Percentile) -> Option<Duration> {
        let rank = percentile.rank(self.ended());
        if rank == 0 || rank > self.answered {
            return None;
        }
        let micros = self.times.value_at_quantile(rank as f64 / self.answered as f64);
        Some(Duration::from_micros(micros))
    }

    /// The longest time of those that were answered.
    pub fn longest(&self) -> Duration {
        Duration::from_micros(self.times.max())
    }

    /// Whether a limit is broken even if every other request of the course is answered well and at once.
    pub(super) fn is_certain(&self, course: &Course) -> bool {
        let too_many_errors = course.errors.is_some_and(|limit| !limit.holds(&Percent::of(self.failed, self.planned)));
        let mut beyond = course.percentiles.iter().zip(&self.beyond);
        too_many_errors
            || beyond.any(|((percentile, _), beyond)| *beyond > self.planned - percentile.rank(self.planned))
    }

    /// Whether this limit was broken, by what was seen or by what can no longer be made good.
    pub fn breaks(&self, percentile: Percentile, limit: Limit<Span>) -> bool {
        let known = self.limits.iter().position(|one| *one == limit).map(|at| self.beyond[at]);
        let whole = if self.cut_short { self.planned } else { self.ended() };
        known.is_some_and(|beyond| beyond > whole - percentile.rank(whole))
    }
}

const OTHERS: &str = "something else";

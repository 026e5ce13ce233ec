//! Load as users make it: requests arrive by a schedule, whether or not those before them have been answered, and each is
//! timed from the moment at which it was due. A stall of green so counts against every request that it delayed, where a
//! client that waits for its answers would send less in the meantime and see one slow request.
//!
//! The schedule is kept to the millisecond, the resolution of the runtime's timer. What is kept of the requests is a
//! histogram and a few counters, however many there are.

mod tally;

use std::pin::pin;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until, timeout};

pub use self::tally::Tally;
use crate::ports::{ProbeError, ProbeRequest, ProbeResponse};
use crate::units::{Limit, Percent, Rate, Span};

/// A request that left this long after it was due, though there was room for it, was held up by this machine.
const LATE: Duration = Duration::from_millis(50);

/// How much is sent, and what must come of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// Requests that become due in a time.
    pub rate: Rate,
    /// How long they do.
    pub lasts: Span,
    /// Share of requests that may fail.
    pub errors: Option<Limit<Percent>>,
    /// Longest times, by percentile.
    pub percentiles: Vec<(Percentile, Limit<Span>)>,
}

/// The time in which this share of requests was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Percentile {
    P50,
    P90,
    P95,
    P99,
    P999,
}

impl Percentile {
    /// As a plan writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::P999 => "p99.9",
        }
    }

    /// Of a thousand requests, how many are within it.
    const fn per_mille(self) -> u64 {
        match self {
            Self::P50 => 500,
            Self::P90 => 900,
            Self::P95 => 950,
            Self::P99 => 990,
            Self::P999 => 999,
        }
    }

    /// Of so many requests, how many are within it; rounded up.
    pub const fn rank(self, of: u64) -> u64 {
        (of * self.per_mille()).div_ceil(1000)
    }

    /// The fewest requests of which one lies beyond it.
    pub const fn fewest(self) -> u64 {
        1000_u64.div_ceil(1000 - self.per_mille())
    }
}

impl Course {
    /// How many requests become due.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a plan's rate and time are bounded")]
    pub fn total(&self) -> u64 {
        (self.rate.per_second() * self.lasts.duration().as_secs_f64()).round() as u64
    }

    /// When the nth request is due, from the beginning.
    #[expect(clippy::cast_precision_loss, reason = "nobody sends 2^53 requests")]
    fn due(&self, nth: u64) -> Duration {
        Duration::from_secs_f64(nth as f64 / self.rate.per_second())
    }

    /// The fewest requests that can show what is expected: one that fails, or is slow, must be able to be within the
    /// limits.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most a million")]
    pub fn fewest(&self) -> u64 {
        let errors = self.errors.map(|limit| limit.value.fraction()).filter(|share| *share > 0.0);
        let errors = errors.map_or(1, |share| (1.0 / share).ceil().min(1e6) as u64);
        self.percentiles.iter().map(|(percentile, _)| percentile.fewest()).max().unwrap_or(1).max(errors)
    }
}

/// A load, ready to be sent.
#[derive(Clone, Debug)]
pub struct Barrage {
    /// How much, and what must come of it.
    pub course: Course,
    /// What is sent, in turn. Each request's `timeout` is how long it is waited for from the moment it is sent.
    pub requests: Vec<ProbeRequest>,
    /// Requests that may be under way at once: each has a connection of its own.
    pub most_under_way: usize,
}

/// Says what is wrong with an answer to the request of this number, in a few words; `None` when it is as expected.
pub type Fault<'f> = dyn Fn(usize, &ProbeResponse) -> Option<String> + Sync + 'f;

/// Sends loads.
#[async_trait]
pub trait Load: Send + Sync {
    /// Sends this load until its end, or until no answer that is still to come could change what comes of it.
    async fn run(&self, barrage: Barrage, fault: &Fault<'_>) -> Tally;
}

/// Sends one request of a load.
pub trait Sender: Sync {
    /// Sends the request of this number, and waits for its answer.
    fn send(&self, number: usize) -> impl Future<Output = Result<ProbeResponse, ProbeError>> + Send;
}

/// What became of one request.
struct End {
    number: usize,
    took: Duration,
    answer: Result<ProbeResponse, ProbeError>,
}

/// Sends a load: the one loop behind every [`Load`].
pub async fn send(barrage: &Barrage, sender: &impl Sender, fault: &Fault<'_>) -> Tally {
    let Barrage { course, requests, most_under_way } = barrage;
    let total = if requests.is_empty() { 0 } else { course.total() };
    let begun = Instant::now();
    let mut tally = Tally::new(course, total);
    let mut under_way = FuturesUnordered::new();
    let mut alarm = pin!(sleep_until(begun));
    let mut was_full = false;
    loop {
        while tally.sent < total && under_way.len() < *most_under_way {
            let due = begun + course.due(tally.sent);
            let now = Instant::now();
            if due > now {
                break;
            }
            match was_full {
                true => tally.waited += 1,
                false if now.duration_since(due) > LATE => tally.late += 1,
                false => {}
            }
            #[expect(clippy::cast_possible_truncation, reason = "it is less than the number of requests")]
            let number = (tally.sent % requests.len() as u64) as usize;
            under_way.push(shot(sender, number, requests[number].timeout, due));
            tally.sent += 1;
        }
        tally.most_under_way = tally.most_under_way.max(under_way.len());
        if tally.sent == total && under_way.is_empty() {
            break;
        }
        was_full = under_way.len() >= *most_under_way;
        let waits_for_next = tally.sent < total && !was_full;
        let due = begun + course.due(tally.sent);
        if waits_for_next && alarm.deadline() != due {
            alarm.as_mut().reset(due);
        }
        tokio::select! {
            biased;
            Some(end) = under_way.next(), if !under_way.is_empty() => {
                let wrong = end.answer.as_ref().ok().and_then(|answer| fault(end.number, answer));
                tally.note(end.took, &end.answer, wrong);
                if tally.is_certain(course) {
                    tally.cut_short = true;
                    break;
                }
            }
            () = &mut alarm, if waits_for_next => {}
        }
    }
    tally.unfinished = under_way.len() as u64;
    tally.took = begun.elapsed();
    tally
}

async fn shot(sender: &impl Sender, number: usize, patience: Duration, due: Instant) -> End {
    let answer = match timeout(patience, sender.send(number)).await {
        Ok(answer) => answer,
        Err(_) => Err(ProbeError { reason: format!("no answer in {} ms", patience.as_millis()), refused: false }),
    };
    End { number, took: due.elapsed(), answer }
}

#[cfg(test)]
mod tests;

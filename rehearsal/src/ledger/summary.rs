//! The ledger in figures: a line for each phase.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{AnsweredBy, End, Entry};

/// What became of the requests, by phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LedgerSummary {
    /// Phases in the order they were entered.
    pub phases: Vec<PhaseSummary>,
    /// All of them.
    pub total: PhaseSummary,
}

/// What became of the requests of a phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PhaseSummary {
    /// Its name; `total` for all.
    pub name: String,
    /// Requests sent.
    pub sent: u64,
    /// Answered by blue, whatever the status.
    pub blue: u64,
    /// Answered by green, whatever the status.
    pub green: u64,
    /// Refused, reset, timed out or answered 5xx.
    pub lost: u64,
    /// Half of the answers took no longer; `None` without an answer. Milliseconds when serialized.
    #[serde(serialize_with = "milliseconds")]
    pub p50: Option<Duration>,
    /// 99 % of the answers took no longer.
    #[serde(serialize_with = "milliseconds")]
    pub p99: Option<Duration>,
    /// No answer took longer.
    #[serde(serialize_with = "milliseconds")]
    pub longest: Option<Duration>,
    /// Lost requests by reason.
    pub losses: BTreeMap<String, u64>,
}

impl LedgerSummary {
    pub(super) fn of(phases: &[String], entries: &[Entry]) -> Self {
        let of_phase = |index: usize| entries.iter().filter(move |entry| entry.phase == index);
        Self {
            phases: phases
                .iter()
                .enumerate()
                .map(|(index, name)| PhaseSummary::of(name, of_phase(index)))
                .filter(|phase| phase.sent > 0)
                .collect(),
            total: PhaseSummary::of("total", entries.iter()),
        }
    }

    /// The phase with this name, if any request was sent in it.
    pub fn phase(&self, name: &str) -> Option<&PhaseSummary> {
        self.phases.iter().find(|phase| phase.name == name)
    }
}

impl PhaseSummary {
    fn of<'a>(name: &str, entries: impl Iterator<Item = &'a Entry>) -> Self {
        let mut summary = Self {
            name: name.to_owned(),
            sent: 0,
            blue: 0,
            green: 0,
            lost: 0,
            p50: None,
            p99: None,
            longest: None,
            losses: BTreeMap::new(),
        };
        let mut times = Vec::new();
        for entry in entries {
            summary.sent += 1;
            summary.blue += u64::from(entry.answered_by == Some(AnsweredBy::Blue));
            summary.green += u64::from(entry.answered_by == Some(AnsweredBy::Green));
            if let Some(reason) = entry.loss() {
                summary.lost += 1;
                *summary.losses.entry(reason).or_default() += 1;
            }
            if matches!(entry.end, End::Status(_) | End::FunctionError) {
                times.push(entry.took);
            }
        }
        times.sort_unstable();
        summary.p50 = percentile(&times, 0.50);
        summary.p99 = percentile(&times, 0.99);
        summary.longest = times.last().copied();
        summary
    }

    /// Green's share of the requests that blue or green answered, from 0 to 1; `None` when neither answered any.
    pub fn green_share(&self) -> Option<f64> {
        let answered = self.blue + self.green;
        (answered > 0).then(|| self.green as f64 / answered as f64)
    }
}

/// The smallest time that this share of them does not exceed.
fn percentile(sorted: &[Duration], share: f64) -> Option<Duration> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

fn milliseconds<S: Serializer>(time: &Option<Duration>, out: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs_f64() * 1000.0).serialize(out)
}

impl fmt::Display for LedgerSummary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["phase", "sent", "blue", "green", "lost", "p50", "p99"].map(str::to_owned);
        let lines: Vec<[String; 7]> =
            std::iter::once(head).chain(self.phases.iter().chain([&self.total]).map(cells)).collect();
        let widths: Vec<usize> =
            (0..7).map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0)).collect();
        for line in &lines {
            write!(out, "{:<width$}", line[0], width = widths[0])?;
            for (cell, width) in line[1..].iter().zip(&widths[1..]) {
                write!(out, "  {cell:>width$}")?;
            }
            writeln!(out)?;
        }
        for phase in &self.phases {
            for (reason, count) in &phase.losses {
                writeln!(out, "lost in {}: {count} × {reason}", phase.name)?;
            }
        }
        Ok(())
    }
}

fn cells(phase: &PhaseSummary) -> [String; 7] {
    [
        phase.name.clone(),
        phase.sent.to_string(),
        phase.blue.to_string(),
        match phase.green_share() {
            Some(share) if phase.green > 0 => format!("{} ({:.1} %)", phase.green, share * 100.0),
            _ => phase.green.to_string(),
        },
        phase.lost.to_string(),
        time(phase.p50),
        time(phase.p99),
    ]
}

fn time(time: Option<Duration>) -> String {
    match time {
        None => "-".to_owned(),
        Some(time) if time < Duration::from_secs(1) => format!("{:.1} ms", time.as_secs_f64() * 1000.0),
        Some(time) => format!("{:.2} s", time.as_secs_f64()),
    }
}

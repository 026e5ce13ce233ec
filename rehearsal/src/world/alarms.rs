//! CloudWatch alarms.

use jiff::Timestamp;

use super::State;
use super::metrics::MetricId;

/// An alarm on one metric.
#[derive(Clone, Debug)]
pub struct Alarm {
    /// Name.
    pub name: String,
    /// What it looks at.
    pub metric: MetricId,
    /// `Sum`, `Average`, `Maximum`, `p99`, …
    pub statistic: String,
    /// Minutes of one period.
    pub period_minutes: u32,
    /// Periods it looks at.
    pub evaluation_periods: u32,
    /// How many of them must breach.
    pub datapoints_to_alarm: u32,
    /// Threshold.
    pub threshold: f64,
    /// How a value breaches it.
    pub comparison: Comparison,
    /// What a period without data counts as.
    pub missing: MissingData,
    /// Its state.
    pub state: AlarmState,
    /// Why, in CloudWatch's words.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// `OK`, `ALARM`, `INSUFFICIENT_DATA`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmState {
    /// Quiet.
    Ok,
    /// Fires.
    Alarm,
    /// Not enough data.
    InsufficientData,
}

impl AlarmState {
    /// As CloudWatch writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }
}

/// `ComparisonOperator`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `GreaterThanOrEqualToThreshold`.
    AtLeast,
    /// `GreaterThanThreshold`.
    Above,
    /// `LessThanThreshold`.
    Below,
    /// `LessThanOrEqualToThreshold`.
    AtMost,
}

/// `TreatMissingData`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingData {
    /// `notBreaching`.
    NotBreaching,
    /// `breaching`.
    Breaching,
    /// `ignore`.
    Ignore,
    /// `missing`, CloudWatch's default.
    Missing,
}

impl State {
    /// The alarm with this name.
    pub fn alarm(&self, name: &str) -> Option<&Alarm> {
        self.alarms.iter().find(|alarm| alarm.name == name)
    }
}

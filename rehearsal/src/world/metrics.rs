//! CloudWatch's numbers: one bucket a minute for each metric and its dimensions.

use std::collections::BTreeMap;
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};

/// Every metric there is.
#[derive(Default)]
pub struct Metrics {
    series: Mutex<BTreeMap<MetricId, BTreeMap<i64, Bucket>>>,
}

/// A metric with its dimensions, in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MetricId {
    /// `AWS/ApplicationELB`, …
    pub namespace: String,
    /// `RequestCount`, …
    pub name: String,
    /// Dimension names and values, sorted.
    pub dimensions: Vec<(String, String)>,
}

impl MetricId {
    /// A metric of the load balancer. Dimensions are sorted here.
    pub fn new(namespace: &str, name: &str, dimensions: &[(&str, &str)]) -> Self {
        let mut dimensions: Vec<_> =
            dimensions.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        dimensions.sort();
        Self { namespace: namespace.to_owned(), name: name.to_owned(), dimensions }
    }
}

/// What was counted within one minute. The samples are kept for percentiles.
#[derive(Clone, Debug, Default)]
pub struct Bucket {
    /// Every sample.
    pub samples: Vec<f64>,
}

impl Bucket {
    /// `Sum`, `Average`, `Minimum`, `Maximum`, `SampleCount`, `p50`, `p99.9`, …; `None` for a statistic it does not know,
    /// or when there is no sample.
    pub fn statistic(&self, name: &str) -> Option<f64> {
        if self.samples.is_empty() {
            return None;
        }
        let count = self.samples.len() as f64;
        let sum = || self.samples.iter().sum::<f64>();
        match name {
            "Sum" => Some(sum()),
            "SampleCount" => Some(count),
            "Average" => Some(sum() / count),
            "Minimum" => self.samples.iter().copied().reduce(f64::min),
            "Maximum" => self.samples.iter().copied().reduce(f64::max),
            percentile => {
                let rank: f64 = percentile.strip_prefix('p')?.parse().ok()?;
                let mut sorted = self.samples.clone();
                sorted.sort_by(f64::total_cmp);
                let index = ((rank / 100.0 * count).ceil() as usize).clamp(1, sorted.len()) - 1;
                Some(sorted[index])
            }
        }
    }
}

impl Metrics {
    /// Adds one sample at `at`.
    pub fn record(&self, metric: &MetricId, at: Timestamp, value: f64) {
        let mut series = self.series.lock().expect("nothing panics while it holds the metrics");
        let buckets = match series.get_mut(metric) {
            Some(buckets) => buckets,
            None => series.entry(metric.clone()).or_default(),
        };
        buckets.entry(at.as_second().div_euclid(60)).or_default().samples.push(value);
    }

    /// The buckets of `period` (a multiple of a minute) that begin at or after `from` and before `to`, oldest first.
    /// A period without a sample is missing: no data is not zero.
    pub fn periods(
        &self,
        metric: &MetricId,
        from: Timestamp,
        to: Timestamp,
        period: SignedDuration,
    ) -> Vec<(Timestamp, Bucket)> {
        let series = self.series.lock().expect("nothing panics while it holds the metrics");
        let Some(buckets) = series.get(metric) else { return Vec::new() };
        let minutes = (period.as_secs() / 60).max(1);
        let first = from.as_second().div_euclid(60);
        let end = to.as_second().div_euclid(60) + i64::from(to.as_second().rem_euclid(60) > 0);
        let mut periods: BTreeMap<i64, Bucket> = BTreeMap::new();
        for (minute, bucket) in buckets.range(first..end.max(first)) {
            let begins = first + (minute - first).div_euclid(minutes) * minutes;
            periods.entry(begins).or_default().samples.extend_from_slice(&bucket.samples);
        }
        periods
            .into_iter()
            .filter_map(|(minute, bucket)| Some((Timestamp::from_second(minute * 60).ok()?, bucket)))
            .collect()
    }

    /// Every metric that has a sample.
    pub fn list(&self) -> Vec<MetricId> {
        self.series.lock().expect("nothing panics while it holds the metrics").keys().cloned().collect()
    }
}

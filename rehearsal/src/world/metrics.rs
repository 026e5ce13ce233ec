//! CloudWatch's numbers: one bucket a minute for each metric and its dimensions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::{SignedDuration, Timestamp};

/// Every metric there is.
#[derive(Default)]
pub struct Metrics {
    series: Mutex<BTreeMap<MetricId, Series>>,
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

/// What was counted within one minute.
///
/// Sums and extremes are exact. Percentiles come from values kept to four significant digits, so that a minute of heavy
/// traffic costs no more than a quiet one.
#[derive(Clone, Debug, Default)]
pub struct Bucket {
    sum: f64,
    count: u64,
    minimum: f64,
    maximum: f64,
    /// How often each value occurred, by the value in an order that sorts.
    values: BTreeMap<i64, u64>,
}

impl Bucket {
    /// Adds a sample.
    pub fn add(&mut self, value: f64) {
        self.minimum = if self.count == 0 { value } else { self.minimum.min(value) };
        self.maximum = if self.count == 0 { value } else { self.maximum.max(value) };
        self.sum += value;
        self.count += 1;
        *self.values.entry(sortable(rounded(value))).or_default() += 1;
    }

    /// Adds every sample of another bucket.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        self.minimum = if self.count == 0 { other.minimum } else { self.minimum.min(other.minimum) };
        self.maximum = if self.count == 0 { other.maximum } else { self.maximum.max(other.maximum) };
        self.sum += other.sum;
        self.count += other.count;
        for (value, times) in &other.values {
            *self.values.entry(*value).or_default() += times;
        }
    }

    /// `Sum`, `Average`, `Minimum`, `Maximum`, `SampleCount`, `p50`, `p99.9`, …; `None` for a statistic it does not know,
    /// or when there is no sample.
    pub fn statistic(&self, name: &str) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        let count = self.count as f64;
        match name {
            "Sum" => Some(self.sum),
            "SampleCount" => Some(count),
            "Average" => Some(self.sum / count),
            "Minimum" => Some(self.minimum),
            "Maximum" => Some(self.maximum),
            percentile => {
                let rank: f64 = percentile.strip_prefix('p')?.parse().ok()?;
                let wanted = ((rank / 100.0 * count).ceil() as u64).clamp(1, self.count);
                let mut seen = 0;
                let (value, _) = self.values.iter().find(|(_, times)| {
                    seen += **times;
                    seen >= wanted
                })?;
                Some(unsortable(*value).clamp(self.minimum, self.maximum))
            }
        }
    }
}

/// To four significant digits.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let unit = 10f64.powi(value.abs().log10().floor() as i32 - 3);
    (value / unit).round() * unit
}

/// The bits of a number as an integer that sorts as the number does; its own inverse.
fn sortable(value: f64) -> i64 {
    let bits = value.to_bits().cast_signed();
    if bits < 0 { bits ^ i64::MAX } else { bits }
}

fn unsortable(key: i64) -> f64 {
    let bits = if key < 0 { key ^ i64::MAX } else { key };
    f64::from_bits(bits.cast_unsigned())
}

/// One metric, held by whoever counts it often.
#[derive(Clone, Default)]
pub struct Series {
    minutes: Arc<Mutex<BTreeMap<i64, Bucket>>>,
}

impl Series {
    /// Adds one sample at `at`.
    pub fn record(&self, at: Timestamp, value: f64) {
        self.lock().entry(at.as_second().div_euclid(60)).or_default().add(value);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i64, Bucket>> {
        self.minutes.lock().expect("nothing panics while it holds a metric")
    }
}

impl Metrics {
    /// Adds one sample at `at`.
    pub fn record(&self, metric: &MetricId, at: Timestamp, value: f64) {
        self.series(metric).record(at, value);
    }

    /// The metric itself, for whoever counts it often. A metric without a sample is not listed.
    pub fn series(&self, metric: &MetricId) -> Series {
        let mut series = self.lock();
        match series.get(metric) {
            Some(found) => found.clone(),
            None => series.entry(metric.clone()).or_default().clone(),
        }
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
        let Some(series) = self.lock().get(metric).cloned() else { return Vec::new() };
        let minutes = (period.as_secs() / 60).max(1);
        let first = from.as_second().div_euclid(60);
        let end = to.as_second().div_euclid(60) + i64::from(to.as_second().rem_euclid(60) > 0);
        let mut periods: BTreeMap<i64, Bucket> = BTreeMap::new();
        for (minute, bucket) in series.lock().range(first..end.max(first)) {
            let begins = first + (minute - first).div_euclid(minutes) * minutes;
            periods.entry(begins).or_default().merge(bucket);
        }
        periods
            .into_iter()
            .filter_map(|(minute, bucket)| Some((Timestamp::from_second(minute * 60).ok()?, bucket)))
            .collect()
    }

    /// Every metric that has a sample.
    pub fn list(&self) -> Vec<MetricId> {
        self.lock().iter().filter(|(_, series)| !series.lock().is_empty()).map(|(metric, _)| metric.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<MetricId, Series>> {
        self.series.lock().expect("nothing panics while it holds the metrics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(values: impl IntoIterator<Item = f64>) -> Bucket {
        let mut bucket = Bucket::default();
        values.into_iter().for_each(|value| bucket.add(value));
        bucket
    }

    #[test]
    fn statistics_are_those_of_the_samples() {
        let bucket = bucket((1..=100).map(f64::from));
        let told = ["Sum", "SampleCount", "Average", "Minimum", "Maximum", "p50", "p99", "p100"]
            .map(|name| bucket.statistic(name).expect("a known statistic"));
        assert_eq!(told, [5050.0, 100.0, 50.5, 1.0, 100.0, 50.0, 99.0, 100.0]);
        assert_eq!(bucket.statistic("Median"), None);
    }

    #[test]
    fn percentiles_keep_four_digits_and_the_order_of_negative_values() {
        let bucket = bucket([-2.0, 0.001_234_56, -1.0, 123_456.0]);
        assert_eq!(bucket.statistic("p25"), Some(-2.0));
        assert_eq!(bucket.statistic("p50"), Some(-1.0));
        let small = bucket.statistic("p75").expect("there are samples");
        assert!((small - 0.001_235).abs() < 1e-9, "{small}");
        assert_eq!(bucket.statistic("p100"), Some(123_456.0), "never beyond the maximum");
    }

    #[test]
    fn a_period_without_a_sample_is_missing() {
        let metrics = Metrics::default();
        let metric = MetricId::new("AWS/ApplicationELB", "RequestCount", &[]);
        let start = Timestamp::from_second(6_000).expect("a time");
        let minute = SignedDuration::from_mins(1);
        let series = metrics.series(&metric);
        assert!(metrics.list().is_empty(), "nothing was counted yet");
        series.record(start, 1.0);
        metrics.record(&metric, start + minute * 2, 1.0);
        metrics.record(&metric, start + minute * 2, 1.0);
        let sums: Vec<_> = metrics
            .periods(&metric, start, start + minute * 3, minute)
            .into_iter()
            .map(|(at, bucket)| ((at.as_second() - 6_000) / 60, bucket.statistic("Sum")))
            .collect();
        assert_eq!(sums, [(0, Some(1.0)), (2, Some(2.0))]);
        let whole = metrics.periods(&metric, start, start + minute * 3, minute * 3);
        assert_eq!(whole[0].1.statistic("Sum"), Some(3.0));
        assert_eq!(metrics.list(), [metric]);
    }
}

//! The numbers. Times are the client's on both ways: its last five minutes are the world's last five minutes.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::alarms::is_statistic;
use super::{Dimension, dimensions, invalid, metric, missing, page};
use crate::wire::context::{ClientTime, Context, Time, number};
use crate::wire::refusal::Refusal;
use crate::world::metrics::MetricId;

/// Most data points of one answer.
const MOST_POINTS: usize = 100_800;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetMetricData {
    metric_data_queries: Option<Vec<Query>>,
    start_time: Option<ClientTime>,
    end_time: Option<ClientTime>,
    scan_by: Option<String>,
    #[serde(default, deserialize_with = "number")]
    max_datapoints: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Query {
    id: Option<String>,
    metric_stat: Option<MetricStat>,
    label: Option<String>,
    #[serde(default, deserialize_with = "flag")]
    return_data: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetricStat {
    metric: Metric,
    #[serde(default, deserialize_with = "number")]
    period: Option<u32>,
    stat: String,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    namespace: String,
    metric_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<Vec<Dimension>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MetricData {
    metric_data_results: Vec<Series>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
    messages: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Series {
    id: String,
    label: String,
    timestamps: Vec<Time>,
    values: Vec<f64>,
    status_code: &'static str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetMetricStatistics {
    namespace: Option<String>,
    metric_name: Option<String>,
    dimensions: Option<Vec<Dimension>>,
    start_time: Option<ClientTime>,
    end_time: Option<ClientTime>,
    #[serde(default, deserialize_with = "number")]
    period: Option<u32>,
    statistics: Option<Vec<String>>,
    extended_statistics: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MetricStatistics {
    label: String,
    datapoints: Vec<Datapoint>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Datapoint {
    timestamp: Time,
    unit: &'static str,
    #[serde(flatten)]
    statistics: BTreeMap<String, f64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extended_statistics: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListMetrics {
    namespace: Option<String>,
    metric_name: Option<String>,
    dimensions: Option<Vec<DimensionFilter>>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DimensionFilter {
    name: String,
    value: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MetricList {
    metrics: Vec<Metric>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// One value of one query, before the answer is cut into pages.
struct Point {
    query: usize,
    at: Timestamp,
    value: f64,
}

pub(super) fn get_data(context: &Context<'_>, input: GetMetricData) -> Result<MetricData, Refusal> {
    let (from, to) = range(context, input.start_time, input.end_time)?;
    let queries = input.metric_data_queries.filter(|it| !it.is_empty()).ok_or_else(|| missing("MetricDataQueries"))?;
    if queries.len() > 500 {
        return Err(validation("At most 500 metric data queries can be specified"));
    }
    let newest_first = match input.scan_by.as_deref() {
        None | Some("TimestampDescending") => true,
        Some("TimestampAscending") => false,
        Some(_) => return Err(validation("ScanBy must be one of TimestampDescending, TimestampAscending")),
    };
    let mut series = Vec::new();
    let mut points = Vec::new();
    for (place, query) in queries.iter().enumerate() {
        let (id, stat, period) = query.checked()?;
        let repeated = queries[..place].iter().any(|earlier| earlier.id.as_deref() == Some(id));
        if repeated {
            return Err(validation(&format!("The values for parameter Id are not unique: {id}")));
        }
        let metric = metric(&stat.metric.namespace, &stat.metric.metric_name, stat.metric.dimensions.as_deref());
        let mut found = values(context, &metric, (from, to), period, &stat.stat);
        if newest_first {
            found.reverse();
        }
        let returned = query.return_data != Some(false);
        points.extend(found.into_iter().filter(|_| returned).map(|(at, value)| Point { query: place, at, value }));
        series.push(returned.then(|| Series {
            id: id.to_owned(),
            label: query.label.clone().unwrap_or_else(|| stat.metric.metric_name.clone()),
            timestamps: Vec::new(),
            values: Vec::new(),
            status_code: "Complete",
        }));
    }
    let last_of = |query: usize| points.iter().filter(|it| it.query == query).map(|it| it.at).next_back();
    let lasts: Vec<Option<Timestamp>> = (0..series.len()).map(last_of).collect();
    let (points, next_token) = page(context, points, input.next_token.as_deref(), input.max_datapoints, MOST_POINTS)?;
    let reached = points.last().map(|it| (it.query, it.at));
    for Point { query, at, value } in points {
        if let Some(series) = &mut series[query] {
            series.timestamps.push(context.time(at));
            series.values.push(value);
        }
    }
    if next_token.is_some() {
        for (query, series) in series.iter_mut().enumerate() {
            let cut = reached.is_some_and(|(last, at)| query > last || (query == last && lasts[query] != Some(at)));
            if let (true, Some(series)) = (cut, series) {
                series.status_code = "PartialData";
            }
        }
    }
    let metric_data_results = series.into_iter().flatten().collect();
    Ok(MetricData { metric_data_results, next_token, messages: Vec::new() })
}

pub(super) fn get_statistics(context: &Context<'_>, input: GetMetricStatistics) -> Result<MetricStatistics, Refusal> {
    let namespace = input.namespace.ok_or_else(|| missing("Namespace"))?;
    let metric_name = input.metric_name.ok_or_else(|| missing("MetricName"))?;
    let (from, to) = range(context, input.start_time, input.end_time)?;
    let period = whole_minutes(input.period)?;
    let simple = input.statistics.unwrap_or_default();
    let extended = input.extended_statistics.unwrap_or_default();
    if simple.is_empty() && extended.is_empty() {
        return Err(missing("Statistics"));
    }
    if let Some(unknown) = simple.iter().chain(&extended).find(|name| !is_statistic(name)) {
        return Err(invalid(format!("{unknown} is not a statistic")));
    }
    let metric = metric(&namespace, &metric_name, input.dimensions.as_deref());
    let datapoints = context.world.metrics.periods(&metric, from, to, period).into_iter().map(|(at, bucket)| {
        let worked_out =
            |names: &[String]| names.iter().filter_map(|name| Some((name.clone(), bucket.statistic(name)?))).collect();
        Datapoint {
            timestamp: context.time(at),
            unit: unit(&metric_name),
            statistics: worked_out(&simple),
            extended_statistics: worked_out(&extended),
        }
    });
    Ok(MetricStatistics { datapoints: datapoints.collect(), label: metric_name })
}

pub(super) fn list(context: &Context<'_>, input: ListMetrics) -> Result<MetricList, Refusal> {
    let wanted_dimensions = input.dimensions.unwrap_or_default();
    let wanted = |it: &MetricId| {
        input.namespace.as_ref().is_none_or(|namespace| it.namespace == *namespace)
            && input.metric_name.as_ref().is_none_or(|name| it.name == *name)
            && wanted_dimensions.iter().all(|wanted| {
                it.dimensions.iter().any(|(name, value)| {
                    *name == wanted.name && wanted.value.as_ref().is_none_or(|wanted| value == wanted)
                })
            })
    };
    let all = context.world.metrics.list().into_iter().filter(|it| wanted(it));
    let told =
        |it: MetricId| Metric { dimensions: Some(dimensions(&it)), namespace: it.namespace, metric_name: it.name };
    let (metrics, next_token) = page(context, all.map(told).collect(), input.next_token.as_deref(), None, 500)?;
    Ok(MetricList { metrics, next_token })
}

impl Query {
    fn checked(&self) -> Result<(&str, &MetricStat, SignedDuration), Refusal> {
        let id = self.id.as_deref().ok_or_else(|| missing("MetricDataQueries.member.N.Id"))?;
        if !id.starts_with(|first: char| first.is_ascii_lowercase()) {
            return Err(validation(&format!("The value {id} for parameter Id must begin with a lowercase letter")));
        }
        let stat = self
            .metric_stat
            .as_ref()
            .ok_or_else(|| Refusal::not_implemented("cloudwatch:GetMetricData with an expression"))?;
        if !is_statistic(&stat.stat) {
            return Err(validation(&format!("{} is not a statistic", stat.stat)));
        }
        Ok((id, stat, whole_minutes(stat.period)?))
    }
}

fn values(
    context: &Context<'_>,
    metric: &MetricId,
    (from, to): (Timestamp, Timestamp),
    period: SignedDuration,
    statistic: &str,
) -> Vec<(Timestamp, f64)> {
    let periods = context.world.metrics.periods(metric, from, to, period);
    periods.into_iter().filter_map(|(at, bucket)| Some((at, bucket.statistic(statistic)?))).collect()
}

fn range(
    context: &Context<'_>,
    start: Option<ClientTime>,
    end: Option<ClientTime>,
) -> Result<(Timestamp, Timestamp), Refusal> {
    let start = start.ok_or_else(|| missing("StartTime"))?.to_world(context);
    let end = end.ok_or_else(|| missing("EndTime"))?.to_world(context);
    if start >= end {
        return Err(invalid("The parameter StartTime must be less than the parameter EndTime."));
    }
    Ok((start, end))
}

fn whole_minutes(period: Option<u32>) -> Result<SignedDuration, Refusal> {
    let period = period.ok_or_else(|| missing("Period"))?;
    if period == 0 || period % 60 != 0 {
        return Err(invalid("The parameter Period must be a multiple of 60."));
    }
    Ok(SignedDuration::from_secs(i64::from(period)))
}

fn unit(metric: &str) -> &'static str {
    if metric == "TargetResponseTime" { "Seconds" } else { "Count" }
}

fn validation(message: &str) -> Refusal {
    Refusal::new("ValidationError", message)
}

/// Reads a truth value that a form gives as text.
fn flag<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    number(deserializer)
}

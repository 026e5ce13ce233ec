//! Alarms on one metric. There are no composite ones.

use serde::{Deserialize, Serialize};

use super::{Dimension, dimensions, invalid, metric, missing, page};
use crate::wire::context::{Context, Nothing, Time, number};
use crate::wire::refusal::Refusal;
use crate::world::alarms::{Alarm, AlarmState, Comparison, MissingData};
use crate::world::{ACCOUNT, REGION};

const STATES: [AlarmState; 3] = [AlarmState::Ok, AlarmState::Alarm, AlarmState::InsufficientData];
const STATISTICS: [&str; 5] = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"];
const COMPARISONS: [(Comparison, &str); 4] = [
    (Comparison::AtLeast, "GreaterThanOrEqualToThreshold"),
    (Comparison::Above, "GreaterThanThreshold"),
    (Comparison::Below, "LessThanThreshold"),
    (Comparison::AtMost, "LessThanOrEqualToThreshold"),
];
const MISSING: [(MissingData, &str); 4] = [
    (MissingData::NotBreaching, "notBreaching"),
    (MissingData::Breaching, "breaching"),
    (MissingData::Ignore, "ignore"),
    (MissingData::Missing, "missing"),
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeAlarms {
    alarm_names: Option<Vec<String>>,
    alarm_name_prefix: Option<String>,
    alarm_types: Option<Vec<String>>,
    children_of_alarm_name: Option<String>,
    parents_of_alarm_name: Option<String>,
    state_value: Option<String>,
    action_prefix: Option<String>,
    #[serde(default, deserialize_with = "number")]
    max_records: Option<usize>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Alarms {
    composite_alarms: Vec<String>,
    metric_alarms: Vec<AlarmOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AlarmOut {
    alarm_name: String,
    alarm_arn: String,
    actions_enabled: bool,
    #[serde(rename = "OKActions")]
    ok_actions: Vec<String>,
    alarm_actions: Vec<String>,
    insufficient_data_actions: Vec<String>,
    state_value: &'static str,
    state_reason: String,
    state_updated_timestamp: Time,
    state_transitioned_timestamp: Time,
    metric_name: String,
    namespace: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    statistic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extended_statistic: Option<String>,
    dimensions: Vec<Dimension>,
    period: u32,
    evaluation_periods: u32,
    datapoints_to_alarm: u32,
    threshold: f64,
    comparison_operator: &'static str,
    treat_missing_data: &'static str,
}

/// Actions and descriptions are taken and forgotten: nothing here acts on an alarm but CodeDeploy.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutMetricAlarm {
    alarm_name: Option<String>,
    metric_name: Option<String>,
    namespace: Option<String>,
    statistic: Option<String>,
    extended_statistic: Option<String>,
    dimensions: Option<Vec<Dimension>>,
    #[serde(default, deserialize_with = "number")]
    period: Option<u32>,
    #[serde(default, deserialize_with = "number")]
    evaluation_periods: Option<u32>,
    #[serde(default, deserialize_with = "number")]
    datapoints_to_alarm: Option<u32>,
    #[serde(default, deserialize_with = "number")]
    threshold: Option<f64>,
    comparison_operator: Option<String>,
    treat_missing_data: Option<String>,
    metrics: Option<serde_json::Value>,
    threshold_metric_id: Option<String>,
    evaluation_criteria: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetAlarmState {
    alarm_name: Option<String>,
    state_value: Option<String>,
    state_reason: Option<String>,
}

pub(super) fn describe(context: &Context<'_>, input: DescribeAlarms) -> Result<Alarms, Refusal> {
    if input.max_records.is_some_and(|most| !(1..=100).contains(&most)) {
        return Err(validation("MaxRecords must be between 1 and 100"));
    }
    if input.children_of_alarm_name.is_some() || input.parents_of_alarm_name.is_some() {
        return Err(Refusal::not_implemented("cloudwatch:DescribeAlarms with composite alarms"));
    }
    if input.alarm_names.as_ref().is_some_and(|it| !it.is_empty()) && input.alarm_name_prefix.is_some() {
        return Err(validation("AlarmNamePrefix and AlarmNames cannot be specified at the same time"));
    }
    let wanted_state = input.state_value.as_deref().map(alarm_state).transpose()?;
    let names = input.alarm_names.unwrap_or_default();
    // Without a choice of types, CloudWatch tells of metric alarms only.
    let with_metric_alarms =
        input.alarm_types.is_none_or(|types| types.is_empty() || types.iter().any(|it| it == "MetricAlarm"));
    let all = context.world.read(|state| {
        let mut alarms: Vec<&Alarm> = state.alarms.iter().filter(|_| with_metric_alarms).collect();
        alarms.sort_by(|a, b| a.name.cmp(&b.name));
        alarms
            .into_iter()
            .filter(|it| names.is_empty() || names.contains(&it.name))
            .filter(|it| input.alarm_name_prefix.as_ref().is_none_or(|prefix| it.name.starts_with(prefix.as_str())))
            .filter(|it| wanted_state.is_none_or(|state| it.state == state))
            // No alarm here has an action.
            .filter(|_| input.action_prefix.is_none())
            .map(|it| told(context, it))
            .collect()
    });
    let most = input.max_records.unwrap_or(50);
    let (metric_alarms, next_token) = page(context, all, input.next_token.as_deref(), Some(most), 100)?;
    Ok(Alarms { composite_alarms: Vec::new(), metric_alarms, next_token })
}

/// Makes an alarm, or changes one and keeps its state.
pub(super) fn put(context: &Context<'_>, input: PutMetricAlarm) -> Result<Nothing, Refusal> {
    if input.metrics.is_some() || input.threshold_metric_id.is_some() || input.evaluation_criteria.is_some() {
        return Err(Refusal::not_implemented("cloudwatch:PutMetricAlarm with more than one metric"));
    }
    let name = input.alarm_name.ok_or_else(|| missing("AlarmName"))?;
    let namespace = input.namespace.ok_or_else(|| missing("Namespace"))?;
    let metric_name = input.metric_name.ok_or_else(|| missing("MetricName"))?;
    let statistic = match (input.statistic, input.extended_statistic) {
        (Some(statistic), None) if STATISTICS.contains(&statistic.as_str()) => statistic,
        (None, Some(percentile)) if is_percentile(&percentile) => percentile,
        (Some(_), Some(_)) => {
            return Err(Refusal::new(
                "InvalidParameterCombination",
                "Statistic and ExtendedStatistic cannot be specified at the same time",
            ));
        }
        (None, None) => return Err(missing("Statistic")),
        (Some(other), None) | (None, Some(other)) => return Err(invalid(format!("{other} is not a statistic"))),
    };
    let period = input.period.ok_or_else(|| missing("Period"))?;
    if period == 0 || period % 60 != 0 {
        return Err(Refusal::not_implemented("cloudwatch:PutMetricAlarm with a period that is not whole minutes"));
    }
    let evaluation_periods = input.evaluation_periods.ok_or_else(|| missing("EvaluationPeriods"))?;
    let datapoints_to_alarm = input.datapoints_to_alarm.unwrap_or(evaluation_periods);
    if evaluation_periods == 0 || !(1..=evaluation_periods).contains(&datapoints_to_alarm) {
        return Err(invalid("DatapointsToAlarm must be between 1 and EvaluationPeriods"));
    }
    let wanted = input.comparison_operator.ok_or_else(|| missing("ComparisonOperator"))?;
    let comparison = COMPARISONS
        .iter()
        .find(|(_, name)| *name == wanted)
        .ok_or_else(|| invalid(format!("{wanted} is not a comparison operator of an alarm on one metric")))?
        .0;
    let treat = input.treat_missing_data.as_deref().unwrap_or("missing");
    let missing_data = MISSING
        .iter()
        .find(|(_, name)| *name == treat)
        .ok_or_else(|| invalid(format!("{treat} is not one of breaching, notBreaching, ignore, missing")))?
        .0;
    let alarm = Alarm {
        metric: metric(&namespace, &metric_name, input.dimensions.as_deref()),
        name,
        statistic,
        period_minutes: period / 60,
        evaluation_periods,
        datapoints_to_alarm,
        threshold: input.threshold.ok_or_else(|| missing("Threshold"))?,
        comparison,
        missing: missing_data,
        state: AlarmState::InsufficientData,
        reason: "Unchecked: Initial alarm creation".to_owned(),
        since: context.world.now(),
    };
    context.world.update(|state| match state.alarms.iter_mut().find(|it| it.name == alarm.name) {
        Some(old) => {
            let (alarm_state, reason, since) = (old.state, std::mem::take(&mut old.reason), old.since);
            *old = Alarm { state: alarm_state, reason, since, ..alarm };
        }
        None => state.alarms.push(alarm),
    });
    Ok(Nothing {})
}

/// Until the alarm is evaluated again, as on CloudWatch.
pub(super) fn set_state(context: &Context<'_>, input: SetAlarmState) -> Result<Nothing, Refusal> {
    let name = input.alarm_name.ok_or_else(|| missing("AlarmName"))?;
    let wanted = alarm_state(&input.state_value.ok_or_else(|| missing("StateValue"))?)?;
    let reason = input.state_reason.ok_or_else(|| missing("StateReason"))?;
    let now = context.world.now();
    context.world.update(|state| {
        let alarm = state.alarms.iter_mut().find(|it| it.name == name).ok_or_else(|| {
            Refusal::new("ResourceNotFound", format!("Alarm {name} does not exist"))
                .with_status(http::StatusCode::NOT_FOUND)
        })?;
        if alarm.state != wanted {
            alarm.since = now;
        }
        alarm.state = wanted;
        alarm.reason = reason;
        Ok(Nothing {})
    })
}

fn told(context: &Context<'_>, alarm: &Alarm) -> AlarmOut {
    let simple = STATISTICS.contains(&alarm.statistic.as_str());
    AlarmOut {
        alarm_name: alarm.name.clone(),
        alarm_arn: format!("arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{}", alarm.name),
        actions_enabled: true,
        ok_actions: Vec::new(),
        alarm_actions: Vec::new(),
        insufficient_data_actions: Vec::new(),
        state_value: alarm.state.name(),
        state_reason: alarm.reason.clone(),
        state_updated_timestamp: context.time(alarm.since),
        state_transitioned_timestamp: context.time(alarm.since),
        metric_name: alarm.metric.name.clone(),
        namespace: alarm.metric.namespace.clone(),
        statistic: simple.then(|| alarm.statistic.clone()),
        extended_statistic: (!simple).then(|| alarm.statistic.clone()),
        dimensions: dimensions(&alarm.metric),
        period: alarm.period_minutes * 60,
        evaluation_periods: alarm.evaluation_periods,
        datapoints_to_alarm: alarm.datapoints_to_alarm,
        threshold: alarm.threshold,
        comparison_operator: COMPARISONS.iter().find(|it| it.0 == alarm.comparison).map_or("", |it| it.1),
        treat_missing_data: MISSING.iter().find(|it| it.0 == alarm.missing).map_or("", |it| it.1),
    }
}

fn alarm_state(name: &str) -> Result<AlarmState, Refusal> {
    STATES
        .into_iter()
        .find(|state| state.name() == name)
        .ok_or_else(|| validation(&format!("{name} is not one of OK, ALARM, INSUFFICIENT_DATA")))
}

/// `p50`, `p99.9`, …
pub(super) fn is_percentile(name: &str) -> bool {
    let rank = name.strip_prefix('p').and_then(|rank| rank.parse::<f64>().ok());
    rank.is_some_and(|rank| (0.0..=100.0).contains(&rank))
}

/// Whether the world can work out this statistic.
pub(super) fn is_statistic(name: &str) -> bool {
    STATISTICS.contains(&name) || is_percentile(name)
}

fn validation(message: &str) -> Refusal {
    Refusal::new("ValidationError", message)
}

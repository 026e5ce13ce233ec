//! CloudWatch: alarms on one metric, and the numbers. Spoken in CBOR, JSON and the old query protocol.

use serde::{Deserialize, Serialize};

use super::context::{Context, Operation};
use super::refusal::Refusal;
use crate::world::metrics::MetricId;

mod alarms;
mod metrics;

/// What is implemented.
pub(super) const OPERATIONS: &[(&str, Operation)] = &[
    ("DescribeAlarms", |context, input| context.run(input, alarms::describe)),
    ("GetMetricData", |context, input| context.run(input, metrics::get_data)),
    ("GetMetricStatistics", |context, input| context.run(input, metrics::get_statistics)),
    ("ListMetrics", |context, input| context.run(input, metrics::list)),
    ("PutMetricAlarm", |context, input| context.run(input, alarms::put)),
    ("SetAlarmState", |context, input| context.run(input, alarms::set_state)),
];

/// The shape of an error that the query protocol has by an older name.
pub(super) fn shape(code: &str) -> String {
    match code {
        "InternalServiceError" => "InternalServiceFault",
        "InvalidFormat" => "InvalidFormatFault",
        "InvalidParameterCombination" => "InvalidParameterCombinationException",
        "InvalidParameterValue" => "InvalidParameterValueException",
        "LimitExceeded" => "LimitExceededFault",
        "MissingParameter" => "MissingRequiredParameterException",
        other => other,
    }
    .to_owned()
}

/// CloudWatch's one map; the items of its lists have no names.
pub(super) fn item_name(list: &str) -> &'static str {
    if list == "ExtendedStatistics" { "entry" } else { "member" }
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Dimension {
    name: String,
    value: String,
}

/// The metric with these dimensions.
fn metric(namespace: &str, name: &str, dimensions: Option<&[Dimension]>) -> MetricId {
    let pairs: Vec<(&str, &str)> =
        dimensions.unwrap_or_default().iter().map(|it| (it.name.as_str(), it.value.as_str())).collect();
    MetricId::new(namespace, name, &pairs)
}

fn dimensions(metric: &MetricId) -> Vec<Dimension> {
    metric.dimensions.iter().map(|(name, value)| Dimension { name: name.clone(), value: value.clone() }).collect()
}

fn page<T>(
    context: &Context<'_>,
    items: Vec<T>,
    token: Option<&str>,
    wanted: Option<usize>,
    most: usize,
) -> Result<(Vec<T>, Option<String>), Refusal> {
    context
        .page(items, token, wanted, most)
        .ok_or_else(|| Refusal::new("InvalidNextToken", "The next token is not valid"))
}

fn missing(member: &str) -> Refusal {
    Refusal::new("MissingParameter", format!("The parameter {member} is required."))
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidParameterValue", message)
}

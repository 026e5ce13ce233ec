//! What CloudWatch counted of two target groups' requests, in one call.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html>

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat, StatusCode};
use aws_smithy_types::DateTime;
use jiff::{SignedDuration, Timestamp};

use super::Aws;
use super::failure::{explain, incomplete};
use crate::check::CannotTell;
use crate::ports::{Counts, Metrics};

const ACTION: &str = "cloudwatch:GetMetricData";

/// Kind, metric.
const COUNTED: [(&str, &str); 3] = [
    ("requests", "RequestCount"),
    ("errors", "HTTPCode_Target_5XX_Count"),
    ("unreached", "TargetConnectionErrorCount"),
];

/// Minutes that ended this long ago have arrived.
const ARRIVES_WITHIN: SignedDuration = SignedDuration::from_secs(60);

#[async_trait]
impl Metrics for Aws {
    async fn requests(
        &self,
        load_balancer_arn: &str,
        target_group_arns: [&str; 2],
        from: Timestamp,
    ) -> Result<[BTreeMap<Timestamp, Counts>; 2], CannotTell> {
        let now = Timestamp::now() - ARRIVES_WITHIN;
        let to = now.as_second() - now.as_second().rem_euclid(60);
        let from = from.as_second() + 60 - from.as_second().rem_euclid(60);
        let mut minutes: [BTreeMap<Timestamp, Counts>; 2] = Default::default();
        let asked = target_group_arns.join(" and ");
        if from >= to {
            return Ok(minutes);
        }
        let balancer = load_balancer_arn.split_once(":loadbalancer/").map_or("", |(_, name)| name);
        let counted =
            || (0..2).flat_map(|group| COUNTED.map(|(kind, name)| (group, kind, format!("{kind}_{group}"), name)));
        let of_group = |group: usize| {
            let name = target_group_arns[group].rsplit_once(':').map_or("", |(_, name)| name);
            [dimension("LoadBalancer", balancer), dimension("TargetGroup", name)]
        };
        let queries: Vec<MetricDataQuery> =
            counted().map(|(group, _, id, name)| query(&id, name, &of_group(group))).collect();
        let (mut token, mut told) = (None, BTreeSet::new());
        loop {
            let page = self
                .cloudwatch()
                .get_metric_data()
                .set_metric_data_queries(Some(queries.clone()))
                .start_time(DateTime::from_secs(from))
                .end_time(DateTime::from_secs(to))
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| explain(ACTION, &asked, &error))?;
            for series in page.metric_data_results.unwrap_or_default() {
                if !matches!(series.status_code, None | Some(StatusCode::Complete | StatusCode::PartialData)) {
                    return Err(incomplete(ACTION, &asked, "complete data"));
                }
                let known = counted().find(|(_, _, id, _)| series.id() == Some(id));
                let Some((group, kind, id, _)) = known else { continue };
                told.insert(id);
                let points = series.timestamps().iter().zip(series.values());
                for (at, value) in points {
                    let Ok(at) = Timestamp::from_second(at.secs()) else { continue };
                    let counts = minutes[group].entry(at).or_default();
                    let counter = match kind {
                        "requests" => &mut counts.requests,
                        "errors" => &mut counts.errors,
                        _ => &mut counts.unreached,
                    };
                    *counter += whole(*value);
                }
            }
            token = page.next_token;
            if token.is_none() {
                // Of what was never counted there is a series without points: nothing said is not nothing counted.
                let untold = counted().find(|(_, _, id, _)| !told.contains(id));
                let lacks = untold.map(|(.., name)| format!("series of {name}"));
                return lacks.map_or(Ok(minutes), |lacks| Err(incomplete(ACTION, &asked, &lacks)));
            }
        }
    }
}

fn dimension(name: &str, value: &str) -> Dimension {
    Dimension::builder().name(name).value(value).build()
}

fn query(id: &str, name: &str, dimensions: &[Dimension]) -> MetricDataQuery {
    let metric = Metric::builder()
        .namespace("AWS/ApplicationELB")
        .metric_name(name)
        .set_dimensions(Some(dimensions.to_vec()))
        .build();
    let stat = MetricStat::builder().metric(metric).period(60).stat("Sum").build();
    MetricDataQuery::builder().id(id).metric_stat(stat).build()
}

/// Sums of counts are whole.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count is a small positive number")]
fn whole(value: f64) -> u64 {
    if value > 0.0 { value.round() as u64 } else { 0 }
}

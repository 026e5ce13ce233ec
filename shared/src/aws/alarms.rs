//! The state of CloudWatch alarms.

use async_trait::async_trait;
use aws_sdk_cloudwatch::types::{AlarmType, StateValue};
use aws_smithy_types::DateTime;
use futures::future::try_join_all;

use super::Aws;
use super::failure::explain;
use crate::check::CannotTell;
use crate::ports::{AlarmState, Alarms};

/// Names that one call may ask for.
const AT_ONCE: usize = 100;

#[async_trait]
impl Alarms for Aws {
    async fn states(&self, names: &[String]) -> Result<Vec<AlarmState>, CannotTell> {
        let ask = async {
            let batches = try_join_all(names.chunks(AT_ONCE).map(|names| self.batch(names))).await?;
            Ok(batches.into_iter().flatten().collect())
        };
        self.alarms.or_ask(&names.join("\n"), ask).await
    }
}

impl Aws {
    /// Without its types the call leaves composite alarms out.
    async fn batch(&self, names: &[String]) -> Result<Vec<AlarmState>, CannotTell> {
        let mut states = Vec::new();
        let mut token = None;
        loop {
            let page = self
                .cloudwatch()
                .describe_alarms()
                .set_alarm_names(Some(names.to_vec()))
                .alarm_types(AlarmType::MetricAlarm)
                .alarm_types(AlarmType::CompositeAlarm)
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| explain("cloudwatch:DescribeAlarms", &names.join(", "), &error))?;
            states.extend(page.metric_alarms().iter().map(|alarm| {
                let since = alarm.state_transitioned_timestamp().or(alarm.state_updated_timestamp());
                state(alarm.alarm_name(), alarm.state_value(), alarm.state_reason(), since)
            }));
            states.extend(page.composite_alarms().iter().map(|alarm| {
                let since = alarm.state_transitioned_timestamp().or(alarm.state_updated_timestamp());
                state(alarm.alarm_name(), alarm.state_value(), alarm.state_reason(), since)
            }));
            token = page.next_token;
            if token.is_none() {
                return Ok(states);
            }
        }
    }
}

fn state(name: Option<&str>, value: Option<&StateValue>, reason: Option<&str>, since: Option<&DateTime>) -> AlarmState {
    AlarmState {
        name: name.unwrap_or_default().to_owned(),
        state: value.map(StateValue::as_str).unwrap_or("INSUFFICIENT_DATA").to_owned(),
        reason: reason.unwrap_or_default().to_owned(),
        since: since.and_then(|at| jiff::Timestamp::from_second(at.secs()).ok()),
    }
}

//! Elastic Load Balancing: target groups and the health of their targets.

use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::types as sdk;

use super::Aws;
use super::failure::{explain, incomplete};
use crate::check::CannotTell;
use crate::deployment::{HealthCheck, Listener, TargetGroup};
use crate::ports::{TargetHealth, Targets};

impl Aws {
    /// The target groups with these names, or with these ARNs.
    pub(super) async fn target_groups(&self, names: &[String]) -> Result<Vec<TargetGroup>, CannotTell> {
        let mut groups = Vec::new();
        let mut token = None;
        loop {
            let call = self.load_balancing().describe_target_groups();
            let call = match names {
                [first, ..] if first.starts_with("arn:") => call.set_target_group_arns(Some(names.to_vec())),
                _ => call.set_names(Some(names.to_vec())),
            };
            let page = call
                .set_marker(token)
                .send()
                .await
                .map_err(|error| explain("elasticloadbalancing:DescribeTargetGroups", &names.join(", "), &error))?;
            groups.extend(page.target_groups.unwrap_or_default().into_iter().map(target_group));
            token = page.next_marker;
            if token.is_none() {
                return Ok(groups);
            }
        }
    }
}

#[async_trait]
impl Targets for Aws {
    async fn health(&self, target_group_arn: &str) -> Result<Vec<TargetHealth>, CannotTell> {
        let call = self.load_balancing().describe_target_health().target_group_arn(target_group_arn);
        let answer = call
            .send()
            .await
            .map_err(|error| explain("elasticloadbalancing:DescribeTargetHealth", target_group_arn, &error))?;
        Ok(answer.target_health_descriptions.unwrap_or_default().into_iter().map(health).collect())
    }

    async fn deregistration_delay(&self, target_group_arn: &str) -> Result<u32, CannotTell> {
        const ACTION: &str = "elasticloadbalancing:DescribeTargetGroupAttributes";
        let call = self.load_balancing().describe_target_group_attributes().target_group_arn(target_group_arn);
        let answer = call.send().await.map_err(|error| explain(ACTION, target_group_arn, &error))?;
        let delay = answer.attributes().iter().find(|it| it.key() == Some("deregistration_delay.timeout_seconds"));
        let seconds = delay.and_then(|attribute| attribute.value()?.parse().ok());
        seconds.ok_or_else(|| incomplete(ACTION, target_group_arn, "deregistration delay"))
    }

    async fn listener(&self, listener_arn: &str) -> Result<Listener, CannotTell> {
        self.described_listener(listener_arn).await
    }
}

fn target_group(found: sdk::TargetGroup) -> TargetGroup {
    let matcher = found.matcher.and_then(|matcher| matcher.http_code.or(matcher.grpc_code));
    let number = |value: Option<i32>| value.and_then(|value| u32::try_from(value).ok()).unwrap_or_default();
    TargetGroup {
        name: found.target_group_name.unwrap_or_default(),
        arn: found.target_group_arn.unwrap_or_default(),
        port: found.port.and_then(|port| u16::try_from(port).ok()).unwrap_or_default(),
        health_check: HealthCheck {
            path: found.health_check_path.unwrap_or_default(),
            interval_seconds: number(found.health_check_interval_seconds),
            timeout_seconds: number(found.health_check_timeout_seconds),
            healthy_threshold: number(found.healthy_threshold_count),
            unhealthy_threshold: number(found.unhealthy_threshold_count),
            matcher: matcher.unwrap_or_default(),
        },
    }
}

fn health(found: sdk::TargetHealthDescription) -> TargetHealth {
    let (target, port, zone) = found.target.map_or_else(Default::default, |target| {
        (target.id.unwrap_or_default(), target.port.unwrap_or_default(), target.availability_zone)
    });
    let health = found.target_health;
    TargetHealth {
        target,
        port: u16::try_from(port).unwrap_or_default(),
        zone,
        state: health
            .as_ref()
            .and_then(|health| health.state.as_ref())
            .map_or_else(|| "unavailable".to_owned(), |state| state.as_str().to_owned()),
        reason: health.as_ref().and_then(|health| health.reason.as_ref()).map(|reason| reason.as_str().to_owned()),
        description: health.and_then(|health| health.description),
    }
}

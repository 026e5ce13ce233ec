//! Target groups and the health of their targets.

use serde::{Deserialize, Serialize};

use super::load_balancers::VPC;
use super::{Attributes, Paging, invalid, load_balancers};
use crate::wire::context::{Context, number};
use crate::wire::refusal::Refusal;
use crate::world::State;
use crate::world::load_balancer::{Target, TargetGroup};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeTargetGroups {
    load_balancer_arn: Option<String>,
    target_group_arns: Option<Vec<String>>,
    names: Option<Vec<String>>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TargetGroups {
    target_groups: Vec<TargetGroupOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TargetGroupOut {
    target_group_arn: String,
    target_group_name: String,
    protocol: &'static str,
    port: u16,
    vpc_id: &'static str,
    health_check_protocol: &'static str,
    health_check_port: &'static str,
    health_check_enabled: bool,
    health_check_interval_seconds: u64,
    health_check_timeout_seconds: u64,
    healthy_threshold_count: u32,
    unhealthy_threshold_count: u32,
    health_check_path: String,
    matcher: Matcher,
    load_balancer_arns: Vec<String>,
    target_type: &'static str,
    protocol_version: &'static str,
    ip_address_type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Matcher {
    http_code: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeTargetHealth {
    target_group_arn: Option<String>,
    targets: Option<Vec<TargetIn>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TargetIn {
    id: String,
    #[serde(default, deserialize_with = "number")]
    port: Option<u16>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TargetHealths {
    target_health_descriptions: Vec<TargetHealthOut>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TargetHealthOut {
    target: TargetOut,
    health_check_port: String,
    target_health: HealthOut,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TargetOut {
    id: String,
    port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    availability_zone: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct HealthOut {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneTargetGroup {
    target_group_arn: Option<String>,
}

pub(super) fn describe(context: &Context<'_>, input: DescribeTargetGroups) -> Result<TargetGroups, Refusal> {
    let arns = input.target_group_arns.unwrap_or_default();
    let names = input.names.unwrap_or_default();
    let filters = [input.load_balancer_arn.is_some(), !arns.is_empty(), !names.is_empty()];
    if filters.iter().filter(|given| **given).count() > 1 {
        return Err(invalid("Only one of load balancer ARN, target group ARNs and names can be specified"));
    }
    let all = context.world.read(|state| {
        if let Some(arn) = &input.load_balancer_arn
            && !state.load_balancers.iter().any(|it| it.arn() == *arn)
        {
            return Err(load_balancers::not_found(arn));
        }
        let missing_arn = arns.iter().find(|arn| state.target_group(arn).is_none());
        let missing_name = names.iter().find(|name| state.target_group_named(name).is_none());
        if let Some(missing) = missing_arn.or(missing_name) {
            return Err(not_found(missing));
        }
        let wanted = |it: &&TargetGroup| {
            (arns.is_empty() || arns.contains(&it.arn))
                && (names.is_empty() || names.contains(&it.name))
                && input
                    .load_balancer_arn
                    .as_ref()
                    .is_none_or(|arn| it.load_balancer == *arn && state.is_in_use(&it.arn))
        };
        Ok(state.target_groups.iter().filter(wanted).map(|it| told(state, it)).collect())
    })?;
    let (target_groups, next_marker) = input.paging.page(context, all)?;
    Ok(TargetGroups { target_groups, next_marker })
}

pub(super) fn health(context: &Context<'_>, input: DescribeTargetHealth) -> Result<TargetHealths, Refusal> {
    context.world.read(|state| {
        let group = find(state, input.target_group_arn)?;
        let target_health_descriptions = match input.targets.filter(|it| !it.is_empty()) {
            None => group.targets.iter().map(registered).collect(),
            Some(wanted) => wanted
                .into_iter()
                .map(|wanted| {
                    let port = wanted.port.unwrap_or(group.port);
                    let found = group.targets.iter().find(|it| it.address == wanted.id && it.port == port);
                    found.map_or_else(|| unregistered(wanted.id, port), registered)
                })
                .collect(),
        };
        Ok(TargetHealths { target_health_descriptions })
    })
}

pub(super) fn attributes(context: &Context<'_>, input: OneTargetGroup) -> Result<Attributes, Refusal> {
    context.world.read(|state| {
        let group = find(state, input.target_group_arn)?;
        Ok(Attributes::of([
            ("deregistration_delay.timeout_seconds", group.deregistration_delay.as_secs().to_string()),
            ("load_balancing.algorithm.type", "round_robin".to_owned()),
            ("load_balancing.cross_zone.enabled", "use_load_balancer_configuration".to_owned()),
            ("slow_start.duration_seconds", "0".to_owned()),
            ("stickiness.enabled", "false".to_owned()),
            ("stickiness.type", "lb_cookie".to_owned()),
        ]))
    })
}

pub(super) fn not_found(name: &str) -> Refusal {
    Refusal::new("TargetGroupNotFound", format!("Target group '{name}' not found"))
}

fn find(state: &State, arn: Option<String>) -> Result<&TargetGroup, Refusal> {
    let arn = arn.ok_or_else(|| invalid("A target group ARN must be specified"))?;
    state.target_group(&arn).ok_or_else(|| not_found(&arn))
}

/// A group names its load balancer once a listener forwards to it.
fn told(state: &State, group: &TargetGroup) -> TargetGroupOut {
    let check = &group.health_check;
    TargetGroupOut {
        target_group_arn: group.arn.clone(),
        target_group_name: group.name.clone(),
        protocol: "HTTP",
        port: group.port,
        vpc_id: VPC,
        health_check_protocol: "HTTP",
        health_check_port: "traffic-port",
        health_check_enabled: true,
        health_check_interval_seconds: check.interval.as_secs(),
        health_check_timeout_seconds: check.timeout.as_secs_f64().ceil() as u64,
        healthy_threshold_count: check.healthy_threshold,
        unhealthy_threshold_count: check.unhealthy_threshold,
        health_check_path: check.path.clone(),
        matcher: Matcher { http_code: check.matcher.clone() },
        load_balancer_arns: state.is_in_use(&group.arn).then(|| group.load_balancer.clone()).into_iter().collect(),
        target_type: "ip",
        protocol_version: "HTTP1",
        ip_address_type: "ipv4",
    }
}

fn registered(target: &Target) -> TargetHealthOut {
    TargetHealthOut {
        target: TargetOut { id: target.address.clone(), port: target.port, availability_zone: Some(target.zone) },
        health_check_port: target.port.to_string(),
        target_health: HealthOut {
            state: target.health.state(),
            reason: target.health.reason(),
            description: target.health.description(),
        },
    }
}

fn unregistered(id: String, port: u16) -> TargetHealthOut {
    TargetHealthOut {
        target: TargetOut { id, port, availability_zone: None },
        health_check_port: port.to_string(),
        target_health: HealthOut {
            state: "unused",
            reason: Some("Target.NotRegistered"),
            description: Some("Target is not registered to the target group".to_owned()),
        },
    }
}

//! Load balancers.

use serde::{Deserialize, Serialize};

use super::{Attributes, Paging, invalid};
use crate::wire::context::{Context, Time};
use crate::wire::refusal::Refusal;
use crate::world::ZONES;
use crate::world::load_balancer::LoadBalancer;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeLoadBalancers {
    load_balancer_arns: Option<Vec<String>>,
    names: Option<Vec<String>>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LoadBalancers {
    load_balancers: Vec<LoadBalancerOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct LoadBalancerOut {
    load_balancer_arn: String,
    #[serde(rename = "DNSName")]
    dns_name: String,
    canonical_hosted_zone_id: &'static str,
    created_time: Time,
    load_balancer_name: String,
    scheme: &'static str,
    vpc_id: &'static str,
    state: State,
    r#type: &'static str,
    availability_zones: Vec<Zone>,
    security_groups: [&'static str; 1],
    ip_address_type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    code: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Zone {
    zone_name: &'static str,
    subnet_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneLoadBalancer {
    load_balancer_arn: Option<String>,
}

/// There is no VPC: only its name.
pub(super) const VPC: &str = "vpc-00000000000000000";

pub(super) fn describe(context: &Context<'_>, input: DescribeLoadBalancers) -> Result<LoadBalancers, Refusal> {
    let all = context.world.read(|state| {
        let arns = input.load_balancer_arns.unwrap_or_default();
        let names = input.names.unwrap_or_default();
        if !arns.is_empty() && !names.is_empty() {
            return Err(invalid("Load balancer names and ARNs cannot be specified at the same time"));
        }
        let load_balancers = &state.load_balancers;
        if let Some(missing) = arns.iter().find(|arn| !load_balancers.iter().any(|it| it.arn() == **arn)) {
            return Err(not_found(missing));
        }
        if let Some(missing) = names.iter().find(|name| !load_balancers.iter().any(|it| it.name == **name)) {
            return Err(not_found(missing));
        }
        Ok(load_balancers
            .iter()
            .filter(|it| arns.is_empty() || arns.contains(&it.arn()))
            .filter(|it| names.is_empty() || names.contains(&it.name))
            .map(|it| told(context, it))
            .collect())
    })?;
    let (load_balancers, next_marker) = input.paging.page(context, all)?;
    Ok(LoadBalancers { load_balancers, next_marker })
}

pub(super) fn attributes(context: &Context<'_>, input: OneLoadBalancer) -> Result<Attributes, Refusal> {
    let arn = input.load_balancer_arn.ok_or_else(|| invalid("A load balancer ARN must be specified"))?;
    if !context.world.read(|state| state.load_balancers.iter().any(|it| it.arn() == arn)) {
        return Err(not_found(&arn));
    }
    Ok(Attributes::of([
        ("access_logs.s3.enabled", "false".to_owned()),
        ("deletion_protection.enabled", "false".to_owned()),
        ("idle_timeout.timeout_seconds", "60".to_owned()),
        ("load_balancing.cross_zone.enabled", "true".to_owned()),
        ("routing.http2.enabled", "false".to_owned()),
    ]))
}

pub(super) fn not_found(name: &str) -> Refusal {
    Refusal::new("LoadBalancerNotFound", format!("Load balancer '{name}' not found"))
}

fn told(context: &Context<'_>, load_balancer: &LoadBalancer) -> LoadBalancerOut {
    LoadBalancerOut {
        load_balancer_arn: load_balancer.arn(),
        dns_name: load_balancer.dns_name.clone(),
        canonical_hosted_zone_id: "Z32O12XQLNTSW2",
        created_time: context.time(load_balancer.created_at),
        load_balancer_name: load_balancer.name.clone(),
        scheme: "internal",
        vpc_id: VPC,
        state: State { code: "active" },
        r#type: "application",
        availability_zones: ZONES
            .iter()
            .map(|zone| Zone {
                zone_name: zone,
                subnet_id: format!("subnet-0000000000000000{}", zone.chars().last().unwrap_or('a')),
            })
            .collect(),
        security_groups: ["sg-00000000000000000"],
        ip_address_type: "ipv4",
    }
}

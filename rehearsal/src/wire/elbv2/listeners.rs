//! Listeners and their rules.

use serde::{Deserialize, Serialize};

use super::{Paging, invalid, load_balancers};
use crate::wire::context::Context;
use crate::wire::refusal::Refusal;
use crate::world::load_balancer::{Action, Condition, Listener, Rule};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeListeners {
    load_balancer_arn: Option<String>,
    listener_arns: Option<Vec<String>>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Listeners {
    listeners: Vec<ListenerOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListenerOut {
    listener_arn: String,
    load_balancer_arn: String,
    port: u16,
    protocol: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificates: Option<Vec<CertificateOut>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ssl_policy: Option<&'static str>,
    default_actions: Vec<ActionOut>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CertificateOut {
    certificate_arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ActionOut {
    r#type: &'static str,
    /// Only of a forward to one target group.
    #[serde(skip_serializing_if = "Option::is_none")]
    target_group_arn: Option<String>,
    order: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    fixed_response_config: Option<FixedResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forward_config: Option<Forward>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct FixedResponse {
    message_body: String,
    status_code: String,
    content_type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Forward {
    target_groups: Vec<WeightedGroup>,
    target_group_stickiness_config: Stickiness,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WeightedGroup {
    target_group_arn: String,
    weight: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Stickiness {
    enabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeRules {
    listener_arn: Option<String>,
    rule_arns: Option<Vec<String>>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Rules {
    rules: Vec<RuleOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RuleOut {
    rule_arn: String,
    priority: String,
    conditions: Vec<ConditionOut>,
    actions: Vec<ActionOut>,
    is_default: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ConditionOut {
    field: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host_header_config: Option<Values>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_pattern_config: Option<Values>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_header_config: Option<HeaderValues>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Values {
    values: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct HeaderValues {
    http_header_name: String,
    values: Vec<String>,
}

pub(super) fn describe(context: &Context<'_>, input: DescribeListeners) -> Result<Listeners, Refusal> {
    let arns = input.listener_arns.unwrap_or_default();
    if input.load_balancer_arn.is_none() && arns.is_empty() {
        return Err(invalid("A load balancer ARN or listener ARNs must be specified"));
    }
    let all = context.world.read(|state| {
        if let Some(arn) = &input.load_balancer_arn
            && !state.load_balancers.iter().any(|it| it.arn() == *arn)
        {
            return Err(load_balancers::not_found(arn));
        }
        if let Some(missing) = arns.iter().find(|arn| state.listener(arn).is_none()) {
            return Err(not_found(missing));
        }
        let wanted = |it: &&Listener| {
            input.load_balancer_arn.as_ref().is_none_or(|arn| it.load_balancer == *arn)
                && (arns.is_empty() || arns.contains(&it.arn))
        };
        Ok(state.listeners.iter().filter(wanted).map(told).collect())
    })?;
    let (mut listeners, next_marker): (Vec<ListenerOut>, _) = input.paging.page(context, all)?;
    for listener in &mut listeners {
        listener.port = context.detour(|detour| detour.ports.get(&listener.port).copied()).unwrap_or(listener.port);
    }
    Ok(Listeners { listeners, next_marker })
}

pub(super) fn describe_rules(context: &Context<'_>, input: DescribeRules) -> Result<Rules, Refusal> {
    let arns = input.rule_arns.unwrap_or_default();
    let all = context.world.read(|state| match (&input.listener_arn, arns.is_empty()) {
        (Some(arn), true) => {
            let listener = state.listener(arn).ok_or_else(|| not_found(arn))?;
            Ok(listener.rules.iter().map(rule).collect())
        }
        (None, false) => arns
            .iter()
            .map(|arn| {
                let mut rules = state.listeners.iter().flat_map(|it| &it.rules);
                rules.find(|it| it.arn == *arn).map(rule).ok_or_else(|| rule_not_found(arn))
            })
            .collect(),
        _ => Err(invalid("Either a listener ARN or rule ARNs must be specified")),
    })?;
    let (rules, next_marker) = input.paging.page(context, all)?;
    Ok(Rules { rules, next_marker })
}

pub(super) fn not_found(arn: &str) -> Refusal {
    Refusal::new("ListenerNotFound", format!("Listener '{arn}' not found"))
}

pub(super) fn rule_not_found(arn: &str) -> Refusal {
    Refusal::new("RuleNotFound", format!("Rule '{arn}' not found"))
}

/// A listener's default actions are those of its default rule.
fn told(listener: &Listener) -> ListenerOut {
    let default = listener.rules.iter().find(|rule| rule.priority.is_none());
    ListenerOut {
        listener_arn: listener.arn.clone(),
        load_balancer_arn: listener.load_balancer.clone(),
        port: listener.port,
        protocol: if listener.certificate.is_some() { "HTTPS" } else { "HTTP" },
        certificates: listener
            .certificate
            .as_ref()
            .map(|certificate| vec![CertificateOut { certificate_arn: certificate.arn.clone() }]),
        ssl_policy: listener.certificate.as_ref().map(|_| "ELBSecurityPolicy-TLS13-1-2-2021-06"),
        default_actions: default.map(|rule| action(&rule.action)).into_iter().collect(),
    }
}

fn rule(rule: &Rule) -> RuleOut {
    RuleOut {
        rule_arn: rule.arn.clone(),
        priority: rule.priority.map_or_else(|| "default".to_owned(), |priority| priority.to_string()),
        conditions: rule.conditions.iter().map(condition).collect(),
        actions: vec![action(&rule.action)],
        is_default: rule.priority.is_none(),
    }
}

fn action(action: &Action) -> ActionOut {
    match action {
        Action::Forward(groups) => ActionOut {
            r#type: "forward",
            target_group_arn: match groups.as_slice() {
                [(only, _)] => Some(only.clone()),
                _ => None,
            },
            order: 1,
            fixed_response_config: None,
            forward_config: Some(Forward {
                target_groups: groups
                    .iter()
                    .map(|(arn, weight)| WeightedGroup { target_group_arn: arn.clone(), weight: *weight })
                    .collect(),
                target_group_stickiness_config: Stickiness { enabled: false },
            }),
        },
        Action::FixedResponse { status, body } => ActionOut {
            r#type: "fixed-response",
            target_group_arn: None,
            order: 1,
            fixed_response_config: Some(FixedResponse {
                message_body: body.clone(),
                status_code: status.to_string(),
                content_type: "text/plain",
            }),
            forward_config: None,
        },
    }
}

fn condition(condition: &Condition) -> ConditionOut {
    let none = ConditionOut {
        field: "",
        values: None,
        host_header_config: None,
        path_pattern_config: None,
        http_header_config: None,
    };
    match condition {
        Condition::HostHeader(values) => ConditionOut {
            field: "host-header",
            values: Some(values.clone()),
            host_header_config: Some(Values { values: values.clone() }),
            ..none
        },
        Condition::PathPattern(values) => ConditionOut {
            field: "path-pattern",
            values: Some(values.clone()),
            path_pattern_config: Some(Values { values: values.clone() }),
            ..none
        },
        Condition::HttpHeader(name, values) => ConditionOut {
            field: "http-header",
            http_header_config: Some(HeaderValues { http_header_name: name.clone(), values: values.clone() }),
            ..none
        },
    }
}

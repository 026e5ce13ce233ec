//! Elastic Load Balancing v2: the application load balancer's own view of itself. Nothing here changes it.

use serde::{Deserialize, Serialize};

use super::context::{Context, Operation, number};
use super::refusal::Refusal;
use crate::world::State;

mod listeners;
mod load_balancers;
mod target_groups;

/// What is implemented.
pub(super) const OPERATIONS: &[(&str, Operation)] = &[
    ("DescribeListeners", |context, input| context.run(input, listeners::describe)),
    ("DescribeLoadBalancerAttributes", |context, input| context.run(input, load_balancers::attributes)),
    ("DescribeLoadBalancers", |context, input| context.run(input, load_balancers::describe)),
    ("DescribeRules", |context, input| context.run(input, listeners::describe_rules)),
    ("DescribeTags", |context, input| context.run(input, describe_tags)),
    ("DescribeTargetGroupAttributes", |context, input| context.run(input, target_groups::attributes)),
    ("DescribeTargetGroups", |context, input| context.run(input, target_groups::describe)),
    ("DescribeTargetHealth", |context, input| context.run(input, target_groups::health)),
];

/// The members of a list's input that ask for a page.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Paging {
    marker: Option<String>,
    #[serde(default, deserialize_with = "number")]
    page_size: Option<usize>,
}

impl Paging {
    fn page<T>(&self, context: &Context<'_>, items: Vec<T>) -> Result<(Vec<T>, Option<String>), Refusal> {
        if self.page_size.is_some_and(|size| size == 0 || size > 400) {
            return Err(invalid("The page size must be between 1 and 400"));
        }
        context
            .page(items, self.marker.as_deref(), self.page_size, 400)
            .ok_or_else(|| invalid("The marker is not valid"))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    attributes: Vec<Attribute>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    key: &'static str,
    value: String,
}

impl Attributes {
    fn of<const N: usize>(pairs: [(&'static str, String); N]) -> Self {
        Self { attributes: pairs.into_iter().map(|(key, value)| Attribute { key, value }).collect() }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeTags {
    resource_arns: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TagDescriptions {
    tag_descriptions: Vec<TagDescription>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TagDescription {
    resource_arn: String,
    tags: Vec<String>,
}

/// Nothing here has tags.
fn describe_tags(context: &Context<'_>, input: DescribeTags) -> Result<TagDescriptions, Refusal> {
    let arns = input.resource_arns.unwrap_or_default();
    if arns.is_empty() || arns.len() > 20 {
        return Err(invalid("Between 1 and 20 resource ARNs must be specified"));
    }
    context.world.read(|state| {
        for arn in &arns {
            exists(state, arn)?;
        }
        let tags = |resource_arn| TagDescription { resource_arn, tags: Vec::new() };
        Ok(TagDescriptions { tag_descriptions: arns.into_iter().map(tags).collect() })
    })
}

fn exists(state: &State, arn: &str) -> Result<(), Refusal> {
    let rule = || state.listeners.iter().flat_map(|it| &it.rules).any(|rule| rule.arn == arn);
    let (found, refusal): (bool, fn(&str) -> Refusal) = if arn.contains(":targetgroup/") {
        (state.target_group(arn).is_some(), target_groups::not_found)
    } else if arn.contains(":listener-rule/") {
        (rule(), listeners::rule_not_found)
    } else if arn.contains(":listener/") {
        (state.listener(arn).is_some(), listeners::not_found)
    } else {
        (state.load_balancers.iter().any(|it| it.arn() == arn), load_balancers::not_found)
    };
    if found { Ok(()) } else { Err(refusal(arn)) }
}

fn invalid(message: &str) -> Refusal {
    Refusal::new("ValidationError", message)
}

//! AppSpec files before anything is deployed with them: what CodeDeploy would stumble over hours later is said at once,
//! and a template of one is filled in.

mod render;
mod review;

use greenlight::document::{Node, Spanned, Value};

pub use self::render::{Filling, render};
pub use self::review::{Group, Remark, Severity, review};

/// Where the parts of an AppSpec stand.
struct Parts<'n> {
    /// `TaskDefinition`, of a service.
    task_definition: Option<&'n Node>,
    container_name: Option<&'n Node>,
    container_port: Option<&'n Node>,
    /// Lifecycle event and function, in the order of the file.
    hooks: Vec<(&'n Spanned<String>, &'n Node)>,
}

impl<'n> Parts<'n> {
    /// Whatever of it is there.
    fn of(root: &'n Node) -> Self {
        let resource = member(root, "Resources").and_then(|resources| items(resources).first());
        let body = resource.and_then(|resource| entries(resource).first()).map(|(_, body)| body);
        let properties = body.and_then(|body| member(body, "Properties"));
        let property = |name| properties.and_then(|properties| member(properties, name));
        let load_balancer = property("LoadBalancerInfo");
        let hooks = member(root, "Hooks").map(items).unwrap_or_default();
        Self {
            task_definition: property("TaskDefinition"),
            container_name: load_balancer.and_then(|it| member(it, "ContainerName")),
            container_port: load_balancer.and_then(|it| member(it, "ContainerPort")),
            hooks: hooks.iter().flat_map(entries).map(|(event, function)| (event, function)).collect(),
        }
    }
}

/// AWS's own pages write the keys in different case.
fn member<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    entries(node).iter().find(|(key, _)| key.value.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn entries(node: &Node) -> &[(Spanned<String>, Node)] {
    match &node.value {
        Value::Mapping(entries) => entries,
        _ => &[],
    }
}

fn items(node: &Node) -> &[Node] {
    match &node.value {
        Value::List(items) => items,
        _ => &[],
    }
}

fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

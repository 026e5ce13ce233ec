//! The AppSpec: read by the hooks, looked through and filled in by the rehearsal.

use std::collections::BTreeSet;

use greenlight::appspec::{AnyAppSpec, AppSpec, FunctionAppSpec};
use rehearsal::appspec::{Filling, render, review};
use serde_json::{Value, json};

use crate::documents::{self, SOURCE};

pub(crate) fn read(bytes: &[u8]) {
    let text = documents::text(bytes);
    for remark in review(&text, SOURCE, None) {
        documents::is_short(&remark.error);
    }
    let spec = documents::read(&text, |text| AnyAppSpec::parse(text, SOURCE));
    let filled = fill_in(&text);
    let Some(spec) = spec else { return };
    let of_service = AppSpec::parse(&text, SOURCE).is_ok();
    let of_function = FunctionAppSpec::parse(&text, SOURCE).is_ok();
    assert!(of_service != of_function, "it is of one platform");
    let events: BTreeSet<&String> = spec.hooks().iter().map(|(event, _)| event).collect();
    assert_eq!(events.len(), spec.hooks().len(), "an event stands twice");
    let written = written(&spec);
    let again = AnyAppSpec::parse(&written, SOURCE);
    assert!(again.as_ref() == Ok(&spec), "{again:?}\nis not {spec:?}\nwritten as {written}");
    if let (AnyAppSpec::Service(_), Some(filled)) = (&spec, filled) {
        let spec = AppSpec::parse(&filled, SOURCE).unwrap_or_else(|wrong| panic!("{wrong}\nwas filled in:\n{filled}"));
        let filling = filling();
        assert_eq!(Some(spec.task_definition), filling.task_definition);
        assert_eq!((Some(spec.container_name), Some(spec.container_port)), (filling.container_name, Some(8080)));
    }
}

fn fill_in(text: &str) -> Option<String> {
    render(text, &filling()).inspect_err(|why| assert!(!why.is_empty(), "it says why")).ok()
}

fn filling() -> Filling {
    Filling {
        task_definition: Some("arn:aws:ecs:eu-west-1:123456789012:task-definition/orders:42".to_owned()),
        container_name: Some("app".to_owned()),
        container_port: Some(8080),
        ..Filling::default()
    }
}

/// The same in JSON.
fn written(spec: &AnyAppSpec) -> String {
    let (kind, properties) = match spec {
        AnyAppSpec::Service(spec) => (
            "AWS::ECS::Service",
            json!({
                "TaskDefinition": spec.task_definition,
                "LoadBalancerInfo": { "ContainerName": spec.container_name, "ContainerPort": spec.container_port },
            }),
        ),
        AnyAppSpec::Function(spec) => (
            "AWS::Lambda::Function",
            json!({
                "Name": spec.function,
                "Alias": spec.alias,
                "CurrentVersion": spec.current_version,
                "TargetVersion": spec.target_version,
            }),
        ),
    };
    let hooks: Vec<Value> = spec.hooks().iter().map(|(event, function)| json!({ event: function })).collect();
    let resource = json!({ "it": { "Type": kind, "Properties": properties } });
    json!({ "version": 0.0, "Resources": [resource], "Hooks": hooks }).to_string()
}

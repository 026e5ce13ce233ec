//! Filling in a template of an AppSpec. Only what is filled in changes: comments and layout stay.

use std::collections::BTreeMap;
use std::ops::Range;

use greenlight::document::{self, Node};
use greenlight::stage::Stage;
use serde_json::Value;

use super::{Parts, text};
use crate::setup::function_name;

/// What is filled in.
#[derive(Clone, Debug, Default)]
pub struct Filling {
    /// ARN of the task definition with its revision.
    pub task_definition: Option<String>,
    /// The container that the load balancer talks to.
    pub container_name: Option<String>,
    /// Its port.
    pub container_port: Option<u16>,
    /// ARNs of greenlight's functions.
    pub hooks: BTreeMap<Stage, String>,
}

impl Filling {
    /// The functions in the outputs of greenlight's stack, as `aws cloudformation describe-stacks` or `sam list
    /// stack-outputs` prints them; an error says what was expected.
    pub fn hooks_of(outputs: &str) -> Result<BTreeMap<Stage, String>, String> {
        let expected = "expected what `aws cloudformation describe-stacks --stack-name greenlight` prints";
        let outputs: Value = serde_json::from_str(outputs).map_err(|error| format!("{error}; {expected}"))?;
        let outputs = outputs.pointer("/Stacks/0/Outputs").unwrap_or(&outputs);
        let outputs = outputs.as_array().ok_or(expected)?;
        let value =
            |name: &str| outputs.iter().find(|it| it["OutputKey"] == name).and_then(|it| it["OutputValue"].as_str());
        let arn = |stage: Stage| Some((stage, value(&format!("{stage}Arn"))?.to_owned()));
        let hooks: BTreeMap<_, _> = Stage::ALL.into_iter().filter_map(arn).collect();
        let lacking = Stage::ALL.into_iter().find(|stage| !hooks.contains_key(stage));
        match lacking {
            Some(stage) => Err(format!("there is no output {stage}Arn; {expected}")),
            None => Ok(hooks),
        }
    }
}

/// The file with everything filled in that it has a place for; an error names the place that is missing.
pub fn render(content: &str, filling: &Filling) -> Result<String, String> {
    let root = document::tree(content).ok_or("this is no YAML or JSON")?;
    let parts = Parts::of(&root);
    let mut changes: Vec<(Range<usize>, String)> = Vec::new();
    let mut fill = |what: &str, node: Option<&Node>, value: Option<String>| {
        let Some(value) = value else { return Ok(()) };
        let node = node.ok_or_else(|| format!("there is no {what} to fill in"))?;
        changes.push((range(content, node).ok_or_else(|| format!("the {what} is no plain value"))?, value));
        Ok::<(), String>(())
    };
    fill("TaskDefinition", parts.task_definition, filling.task_definition.as_deref().map(quoted))?;
    fill("ContainerName", parts.container_name, filling.container_name.as_deref().map(quoted))?;
    fill("ContainerPort", parts.container_port, filling.container_port.map(|port| port.to_string()))?;
    for (event, function) in &parts.hooks {
        let stage = Stage::ALL.into_iter().find(|stage| stage.event_name().eq_ignore_ascii_case(&event.value));
        // A function of the team's own stays.
        let stage = stage.filter(|stage| text(function).is_some_and(|it| it.ends_with(&function_name(*stage))));
        let arn = stage.and_then(|stage| filling.hooks.get(&stage));
        fill(&event.value, Some(function), arn.map(|arn| quoted(arn)))?;
    }
    changes.sort_by_key(|(range, _)| range.start);
    let mut filled = content.to_owned();
    for (range, value) in changes.into_iter().rev() {
        filled.replace_range(range, &value);
    }
    Ok(filled)
}

/// As JSON, which is YAML too: no value can become anything but itself.
fn quoted(value: &str) -> String {
    Value::from(value).to_string()
}

/// The bytes of a value on one line.
fn range(content: &str, node: &Node) -> Option<Range<usize>> {
    let span = node.place.span();
    let start = usize::try_from(span.byte_offset()?).ok()?;
    let end = start + usize::try_from(span.byte_len()?).ok()?;
    let written = content.get(start..end)?;
    let kept = written.trim_end().len();
    (kept > 0 && !written[..kept].contains('\n')).then_some(start..start + kept)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    const OUTPUTS: [&str; 5] =
        ["BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic"];

    fn outputs() -> Value {
        let output = |event: &str| json!({ "OutputKey": format!("{event}Arn"), "OutputValue": format!("arn:aws:lambda:eu-west-1:1:function:{event}") });
        json!(OUTPUTS.map(output))
    }

    fn filling() -> Filling {
        Filling {
            task_definition: Some("arn:aws:ecs:eu-west-1:1:task-definition/orders:7".to_owned()),
            container_name: Some("web".to_owned()),
            container_port: Some(80),
            hooks: Filling::hooks_of(&outputs().to_string()).expect("outputs"),
        }
    }

    #[test]
    fn only_what_is_filled_in_changes() {
        let content = "# Kept.\nversion: 0.0\nResources:\n  - TargetService:\n      Type: AWS::ECS::Service\n      \
                       Properties:\n        TaskDefinition: TASK_DEFINITION_ARN # kept\n        LoadBalancerInfo: { \
                       ContainerName: \"app\", ContainerPort: 8080 }\nHooks:\n  - BeforeInstall: my-own\n  - AfterInstall: \
                       CodeDeployHook_greenlight-after-install\n";
        assert_snapshot!(render(content, &filling()).expect("it is rendered"), @r#"
        # Kept.
        version: 0.0
        Resources:
          - TargetService:
              Type: AWS::ECS::Service
              Properties:
                TaskDefinition: "arn:aws:ecs:eu-west-1:1:task-definition/orders:7" # kept
                LoadBalancerInfo: { ContainerName: "web", ContainerPort: 80 }
        Hooks:
          - BeforeInstall: my-own
          - AfterInstall: "arn:aws:lambda:eu-west-1:1:function:AfterInstall"
        "#);
    }

    #[test]
    fn json_stays_json() {
        let content = r#"{"version": 0.0, "Resources": [{"T": {"Type": "AWS::ECS::Service", "Properties": {"TaskDefinition": "X_Y", "LoadBalancerInfo": {"ContainerName": "a", "ContainerPort": 1}}}}]}"#;
        let rendered = render(content, &filling()).expect("it is rendered");
        let rendered: Value = serde_json::from_str(&rendered).expect("it is JSON");
        let properties = &rendered["Resources"][0]["T"]["Properties"];
        assert_eq!(properties["TaskDefinition"], "arn:aws:ecs:eu-west-1:1:task-definition/orders:7");
        assert_eq!(properties["LoadBalancerInfo"], json!({ "ContainerName": "web", "ContainerPort": 80 }));
    }

    #[test]
    fn a_place_that_is_not_there_is_named() {
        let error = render("version: 0.0\nResources: []\n", &filling()).unwrap_err();
        assert_eq!(error, "there is no TaskDefinition to fill in");
    }

    #[test]
    fn outputs_of_either_command_are_understood_and_others_are_not() {
        let described = json!({ "Stacks": [{ "Outputs": outputs() }] }).to_string();
        assert_eq!(Filling::hooks_of(&described).expect("outputs").len(), 5);
        assert!(Filling::hooks_of("[]").unwrap_err().starts_with("there is no output BeforeInstallArn"));
        assert!(Filling::hooks_of("{}").unwrap_err().starts_with("expected what"));
    }
}

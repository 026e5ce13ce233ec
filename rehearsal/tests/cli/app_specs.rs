//! AppSpec files: what `rehearse appspec render` gives out, and what it does not.

use std::path::Path;

use greenlight::stage::Stage;
use serde_json::json;

use crate::workshop::Workshop;

/// The AppSpec files that people copy, and the environment they are for.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in the workspace")
}

const TASK_DEFINITION: &str = "arn:aws:ecs:eu-west-1:123456789012:task-definition/orders:7";

/// The outputs of greenlight's stack in this account.
fn outputs(account: &str) -> String {
    let output = |stage: Stage| {
        let name = format!("CodeDeployHook_greenlight-{}", stage.hook_name());
        let arn = format!("arn:aws:lambda:eu-west-1:{account}:function:{name}");
        json!({ "OutputKey": format!("{stage}Arn"), "OutputValue": arn })
    };
    json!({ "Stacks": [{ "Outputs": Stage::ALL.map(output) }] }).to_string()
}

#[test]
fn a_rendered_app_spec_is_sound_for_the_group_that_it_is_for() {
    let workshop = Workshop::new();
    workshop.write("outputs.json", outputs("123456789012"));
    for name in ["ecs-canary", "ecs-linear", "ecs-all-at-once"] {
        let file = repository().join(format!("appspec/{name}.yaml")).display().to_string();
        let what = ["--task-definition", TASK_DEFINITION, "--container", "app", "--port", "8080"];
        let to = ["--outputs", "outputs.json", "--to", "appspec.yaml"];
        let said = workshop.rehearse(&[&["appspec", "render", &file], what.as_slice(), &to].concat());
        assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(0), "", ""), "{name}");
        let template = repository().join("environment/service-codedeploy.yaml").display().to_string();
        let said = workshop.rehearse(&["check", "--template", &template, "appspec.yaml"]);
        assert_eq!((said.code, said.out.as_str()), (Some(0), "appspec.yaml: a sound AppSpec\n"), "{}", said.err);
    }
}

#[test]
fn what_is_still_wrong_is_not_given_out() {
    let workshop = Workshop::new();
    workshop.write("outputs.json", outputs("999999999999"));
    let file = repository().join("appspec/ecs-canary.yaml").display().to_string();
    let said = workshop.rehearse(&["appspec", "render", &file, "--container", "app", "--to", "appspec.yaml"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("`TASK_DEFINITION_ARN` is a placeholder"), "{}", said.err);
    let what = ["--task-definition", TASK_DEFINITION, "--outputs", "outputs.json", "--to", "appspec.yaml"];
    let said = workshop.rehearse(&[&["appspec", "render", &file], what.as_slice()].concat());
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("this is in the account 999999999999"), "{}", said.err);
    assert!(!workshop.path().join("appspec.yaml").exists());
}

#[test]
fn a_note_is_no_mistake() {
    let workshop = Workshop::new();
    let text = std::fs::read_to_string(repository().join("appspec/ecs-canary.yaml")).expect("it is there");
    workshop.write("mine.yaml", text.replace("TASK_DEFINITION_ARN", TASK_DEFINITION).replace("CodeDeployHook_", "my-"));
    let said = workshop.rehearse(&["check", "mine.yaml"]);
    assert_eq!((said.code, said.out.as_str()), (Some(0), "mine.yaml: a sound AppSpec\n"));
    assert!(said.err.starts_with("rehearse: note: mine.yaml:21:20: a service role with"), "{}", said.err);
    assert_eq!(said.err.matches("note:").count(), 1, "once is enough: {}", said.err);
}

#[test]
fn a_template_without_a_deployment_group_is_refused() {
    let workshop = Workshop::new();
    workshop.write("stack.yaml", "Resources: {}\n");
    workshop.write("mine.yaml", "version: 0.0\n");
    let said = workshop.rehearse(&["check", "--template", "stack.yaml", "mine.yaml"]);
    assert_eq!(said.code, Some(2));
    assert_eq!(said.err, "rehearse: stack.yaml: there is no AWS::CodeDeploy::DeploymentGroup in it\n");
}

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

const HOOK_ROLE: &str = "arn:aws:iam::123456789012:role/ecs-calls-hooks";

/// Fills in one of the AppSpec files to copy, and converts it.
fn converted(name: &str, more: &[&str]) -> crate::workshop::Said {
    let workshop = Workshop::new();
    let file = repository().join(format!("appspec/{name}.yaml")).display().to_string();
    let what = ["--task-definition", TASK_DEFINITION, "--to", "appspec.yaml"];
    let said = workshop.rehearse(&[&["appspec", "render", &file], what.as_slice()].concat());
    assert_eq!(said.code, Some(0), "{}", said.err);
    workshop.rehearse(&[&["convert", "appspec.yaml", "--hook-role", HOOK_ROLE], more].concat())
}

#[test]
fn an_app_spec_becomes_the_configuration_that_ecs_takes_and_what_is_not_the_same_is_told() {
    let said =
        converted("ecs-canary", &["--config", "CodeDeployDefault.ECSCanary10Percent5Minutes", "--alarm", "orders-5xx"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let configuration: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(configuration["strategy"], "CANARY");
    assert_eq!(configuration["canaryConfiguration"], json!({ "canaryPercent": 10.0, "canaryBakeTimeInMinutes": 5 }));
    assert_eq!(configuration["bakeTimeInMinutes"], 5);
    assert_eq!(configuration["alarms"], json!({ "alarmNames": ["orders-5xx"], "enable": true, "rollback": true }));
    let hooks: Vec<_> = configuration["lifecycleHooks"].as_array().expect("a list").iter().collect();
    let at: Vec<_> = hooks.iter().map(|hook| hook["lifecycleStages"][0].as_str().expect("a stage")).collect();
    assert_eq!(
        at,
        [
            "PRE_SCALE_UP",
            "POST_SCALE_UP",
            "POST_TEST_TRAFFIC_SHIFT",
            "PRE_PRODUCTION_TRAFFIC_SHIFT",
            "POST_PRODUCTION_TRAFFIC_SHIFT"
        ]
    );
    assert_eq!(
        hooks[0],
        &json!({
            "targetType": "AWS_LAMBDA",
            "hookTargetArn": "arn:aws:lambda:eu-west-1:123456789012:function:CodeDeployHook_greenlight-before-install",
            "roleArn": HOOK_ROLE,
            "lifecycleStages": ["PRE_SCALE_UP"],
            "timeoutConfiguration": { "timeoutInMinutes": 60, "action": "ROLLBACK" },
        })
    );
    insta::assert_snapshot!(said.err, @r#"
    rehearse: note: has no counterpart: TaskDefinition and LoadBalancerInfo of the AppSpec. The service itself names them: task definition, container and port are no part of it
    rehearse: note: has no counterpart: DEPLOYMENT_STOP_ON_REQUEST: whoever stops a deployment says whether it goes back (StopServiceDeployment, stopType)
    rehearse: note: is different: functions answer by what they return, {"hookStatus": "SUCCEEDED"}; whatever else they return, and an error, rolls back at once instead of waiting for an hour
    rehearse: note: is different: functions are called with the role that is named here, not with CodeDeploy's service role: it must allow lambda:InvokeFunction
    rehearse: note: is different: greenlight's functions look for a plan in /greenlight/CLUSTER/SERVICE, no more in /greenlight/APPLICATION/GROUP
    rehearse: note: is different: a plan may use secrets whose names begin with CLUSTER/SERVICE/, no more with APPLICATION/, and those whose tag greenlight:applications names CLUSTER/SERVICE: tag them before the first deployment
    rehearse: note: is different: BeforeAllowTraffic is called 2 times, before every step; a function that migrates may be called at PRE_SCALE_UP instead, which is reached once
    rehearse: note: is different: BAKE_TIME takes the place of the wait before blue is terminated; a rollback is possible until it ends
    rehearse: note: is different: an alarm that fires already does not stop a deployment
    rehearse: note: is different: tasks that fail again and again end a deployment: the circuit breaker is on
    rehearse: note: is different: a rollback is the same deployment and no new one: its status says so, green stays the target, and functions at TEST_TRAFFIC_SHIFT and PRODUCTION_TRAFFIC_SHIFT are called again
    rehearse: note: is different: traffic is moved by the weights of listener rules, not of listeners: the service's loadBalancers need advancedConfiguration with alternateTargetGroupArn, productionListenerRule and, for tests, testListenerRule, and the deployment controller is ECS
    "#);
}

#[test]
fn the_groups_templates_say_how_it_shifts() {
    let file = |name: &str| repository().join("environment").join(name).display().to_string();
    let (service, balancer) = (file("service-codedeploy.yaml"), file("load-balancer.yaml"));
    let said = converted("ecs-linear", &["--template", &service, "--template", &balancer, "--parameter", "Stage=prod"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let configuration: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(configuration["linearConfiguration"], json!({ "stepPercent": 10.0, "stepBakeTimeInMinutes": 5 }));
    assert_eq!(configuration["alarms"]["alarmNames"].as_array().map(Vec::len), Some(6));
    assert!(said.err.contains("BeforeAllowTraffic is called 10 times"), "{}", said.err);
}

#[test]
fn nothing_is_made_of_what_is_wrong() {
    let workshop = Workshop::new();
    let file = repository().join("appspec/ecs-canary.yaml").display().to_string();
    let config = ["--hook-role", HOOK_ROLE, "--config", "CodeDeployDefault.ECSAllAtOnce"];
    let said = workshop.rehearse(&[&["convert", &file], config.as_slice()].concat());
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    assert!(said.err.contains("`TASK_DEFINITION_ARN` is a placeholder"), "{}", said.err);
    let said = converted("ecs-canary", &["--config", "CodeDeployDefault.ECSCanary"]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    assert!(said.err.contains("unknown deployment configuration `CodeDeployDefault.ECSCanary`"), "{}", said.err);
    let said = workshop.rehearse(&["convert", &file, "--hook-role", HOOK_ROLE]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "it must be said how it shifts");
}

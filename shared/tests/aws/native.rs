//! A deployment that ECS carries out: from its ARN to blue, green and the rules between them.

use std::time::Duration;

use greenlight::checks::{GreenRunsTargetRevision, GreenSpansZones, GreenTargetsAreHealthy, GreenTasksAreSteady};
use greenlight::deployment::{AnyDeployment as _, Engine};
use greenlight::discovery::NativeDeployments as _;
use greenlight::event::ServiceDeploymentArn;
use greenlight::lifecycle_stage::LifecycleStage;
use greenlight::redaction::Redactions;
use greenlight::{Checks, Stage};
use serde_json::json as value;

use super::*;

const DEPLOYMENT: &str = "arn:aws:ecs:eu-central-1:123456789012:service-deployment/shop/orders/ejGvqq2ilnbKT9qj0vLJe";
const BLUE: &str = "arn:aws:ecs:eu-central-1:123456789012:service-revision/shop/orders/1111";
const GREEN: &str = "arn:aws:ecs:eu-central-1:123456789012:service-revision/shop/orders/2222";
const RULES: &str = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener-rule/app/shop/aaaa/bbbb";
const TEST_RULES: &str = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener-rule/app/shop/aaaa/cccc";

/// As `DescribeServiceRevisions` tells of a revision whose tasks are in this group of the pair.
fn revision(arn: &str, at: u32, version: u32, group: &str) -> String {
    format!(
        r#"{{"serviceRevisionArn": "{arn}", "createdAt": {at},
            "taskDefinition": "arn:aws:ecs:eu-central-1:123456789012:task-definition/orders:{version}",
            "loadBalancers": [{{"targetGroupArn": "one", "containerName": "app", "containerPort": 8080,
                "advancedConfiguration": {{"alternateTargetGroupArn": "two", "productionListenerRule": "{RULES}/p",
                    "testListenerRule": "{TEST_RULES}/t"}}}}],
            "resolvedConfiguration": {{"loadBalancers": [{{"targetGroupArn": "{group}",
                "productionListenerRule": "{RULES}/p"}}]}}}}"#
    )
}

/// The second deployment of a service: green is in what the service calls its primary target group.
fn native(action: &str, body: &str) -> Reply {
    match action {
        "DescribeServiceDeployments" => json(&format!(
            r#"{{"serviceDeployments": [{{"serviceDeploymentArn": "{DEPLOYMENT}", "status": "IN_PROGRESS",
                "lifecycleStage": "POST_TEST_TRAFFIC_SHIFT", "startedAt": 1800000000,
                "sourceServiceRevisions": [{{"arn": "{BLUE}"}}],
                "targetServiceRevision": {{"arn": "{GREEN}", "requestedProductionTrafficWeight": 0}},
                "deploymentConfiguration": {{"strategy": "CANARY", "bakeTimeInMinutes": 3,
                    "alarms": {{"alarmNames": ["orders-5xx"], "enable": true, "rollback": true}}}}}}]}}"#
        )),
        "DescribeServiceRevisions" => json(&format!(
            r#"{{"serviceRevisions": [{}, {}]}}"#,
            revision(GREEN, 20, 42, "one"),
            revision(BLUE, 10, 41, "two")
        )),
        "DescribeServices" => json(
            r#"{"services": [{"serviceName": "orders", "desiredCount": 2, "healthCheckGracePeriodSeconds": 60,
                "deployments": [
                    {"id": "ecs-svc/2222", "status": "PRIMARY", "desiredCount": 2, "runningCount": 2, "failedTasks": 1,
                     "taskDefinition": "arn:aws:ecs:eu-central-1:123456789012:task-definition/orders:42"},
                    {"id": "ecs-svc/1111", "status": "ACTIVE", "desiredCount": 2, "runningCount": 1, "pendingCount": 1,
                     "taskDefinition": "arn:aws:ecs:eu-central-1:123456789012:task-definition/orders:41"}]}]}"#,
        ),
        "DescribeRules" => {
            let test = body.contains("cccc");
            let (rule, group) = if test { (format!("{TEST_RULES}/t"), "one") } else { (format!("{RULES}/p"), "two") };
            xml(
                action,
                &format!(
                    "<Rules>\
                 <member><RuleArn>{RULES}/of-another-service</RuleArn><Priority>1</Priority><Actions><member><Type>forward</Type>\
                 <TargetGroupArn>foreign</TargetGroupArn></member></Actions></member>\
                 <member><RuleArn>{rule}</RuleArn><Priority>2</Priority><Actions><member><Type>forward</Type>\
                 <TargetGroupArn>{group}</TargetGroupArn></member></Actions></member>\
                 </Rules>"
                ),
            )
        }
        other => deployment(other, body),
    }
}

async fn look_up(server: &Server) -> Result<Deployment, DiscoveryError> {
    let aws = aws(server);
    let arn = ServiceDeploymentArn::parse(DEPLOYMENT).expect("an ARN");
    let record = aws.native_record(&arn).await?;
    aws.describe_native(record, LifecycleStage::PostTestTrafficShift).await
}

#[tokio::test]
async fn a_service_deployment_is_known_from_its_arn_alone() {
    let server = Server::start(native);
    let found = look_up(&server).await.expect("everything is answered");
    let (blue, green) = (found.blue.as_ref().expect("blue"), found.green.as_ref().expect("green"));
    assert_eq!((blue.version(), blue.target_group_arn.as_str(), blue.steady), ("orders:41", "two", false));
    assert_eq!((green.version(), green.target_group_arn.as_str(), green.steady), ("orders:42", "one", true));
    assert_eq!((green.id.as_str(), green.failed), ("ecs-svc/2222", Some(1)));
    assert_eq!(found.production.rules.len(), 1, "rules of other services are not this one's");
    assert_eq!(found.production.rule.as_deref(), Some(format!("{RULES}/p").as_str()));
    assert_eq!(found.test.as_ref().and_then(|test| test.rule.clone()), Some(format!("{TEST_RULES}/t")));
    assert_eq!((found.names(), found.settings_of().as_str()), (("shop", "orders"), "service orders"));
    assert_eq!((found.alarms.names.len(), found.auto_rollback.events.len()), (1, 2));
    assert_eq!((found.termination_wait_minutes, found.container_port), (Some(3), 8080));
    assert!(found.rollback.is_none());
    assert!(matches!(found.engine, Engine::Ecs(native) if native.stage == LifecycleStage::PostTestTrafficShift));
}

/// After a deployment was aborted and reconciled, ECS may name what is left of it too. Whoever took it for blue would not see
/// that the way leads back, and would migrate.
#[tokio::test]
async fn of_several_sources_blue_is_the_one_that_serves_and_not_the_newest() {
    const ABORTED: &str = "arn:aws:ecs:eu-central-1:123456789012:service-revision/shop/orders/3333";
    for (serves, is_over) in [
        (r#""requestedProductionTrafficWeight": 100"#, r#""requestedProductionTrafficWeight": 0"#),
        (r#""requestedTaskCount": 2"#, r#""requestedTaskCount": 0"#),
    ] {
        let server = Server::start(move |action, body| match action {
            "DescribeServiceDeployments" => json(&format!(
                r#"{{"serviceDeployments": [{{"status": "IN_PROGRESS", "targetServiceRevision": {{"arn": "{GREEN}"}},
                    "sourceServiceRevisions": [{{"arn": "{ABORTED}", {is_over}}}, {{"arn": "{BLUE}", {serves}}}]}}]}}"#
            )),
            "DescribeServiceRevisions" => {
                let all = [(GREEN, 20, 42, "one"), (ABORTED, 15, 40, "one"), (BLUE, 10, 41, "two")];
                json(&format!(
                    r#"{{"serviceRevisions": [{}]}}"#,
                    all.map(|(arn, at, version, group)| revision(arn, at, version, group)).join(", ")
                ))
            }
            _ => native(action, body),
        });
        let found = look_up(&server).await.expect("everything is answered");
        assert_eq!(found.blue.as_ref().map(|blue| blue.version()), Some("orders:41"), "{serves}");
    }
}

/// Were one of them to wait for another, the server would hold it back for ever.
#[tokio::test]
async fn revisions_and_service_are_asked_for_side_by_side_and_then_both_listeners_and_the_target_groups() {
    look_up(&Server::start(native).holding(&["DescribeServiceRevisions", "DescribeServices"]))
        .await
        .expect("an answer");
    let second = ["DescribeTargetGroups", "DescribeListeners", "DescribeRules", "DescribeLoadBalancers"];
    let server = Server::start(native).holding(&second);
    look_up(&server).await.expect("an answer");
    let asked = server.calls();
    assert_eq!(asked.len(), 10, "the target groups come in two pages: {asked:?}");
}

#[tokio::test]
async fn a_revision_that_is_gone_is_told_with_its_arn() {
    let server = Server::start(|action, body| match action {
        "DescribeServiceRevisions" => json(r#"{"serviceRevisions": [], "failures": [{"reason": "MISSING"}]}"#),
        _ => native(action, body),
    });
    let error = look_up(&server).await.expect_err("there is no green");
    assert_eq!(error.to_string(), format!("ECS knows no service revision {GREEN}, the target of the deployment"));
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_service_without_a_load_balancer_is_told_with_the_header_of_service_connect() {
    let server = Server::start(|action, body| match action {
        "DescribeServiceRevisions" => json(&format!(
            r#"{{"serviceRevisions": [
                {{"serviceRevisionArn": "{BLUE}", "createdAt": 1}},
                {{"serviceRevisionArn": "{GREEN}", "createdAt": 2, "serviceConnectConfiguration": {{"enabled": true, "services": [
                    {{"portName": "http", "clientAliases": [{{"port": 80, "testTrafficRules":
                        {{"header": {{"name": "x-test", "value": {{"exact": "green"}}}}}}}}]}}]}}}}]}}"#
        )),
        _ => native(action, body),
    });
    let error = look_up(&server).await.expect_err("nothing can be asked there");
    assert_eq!(
        error.to_string(),
        "service orders has no load balancer with a production listener rule and an alternate target group; Service \
         Connect knows test traffic by x-test: green"
    );
}

#[tokio::test]
async fn a_new_service_has_no_blue() {
    let server = Server::start(|action, body| match action {
        "DescribeServiceDeployments" => json(&format!(
            r#"{{"serviceDeployments": [{{"status": "IN_PROGRESS", "targetServiceRevision": {{"arn": "{GREEN}"}}}}]}}"#
        )),
        _ => native(action, body),
    });
    let found = look_up(&server).await.expect("everything is answered");
    assert!(found.is_first() && found.green.is_some());
}

/// ECS calls again every few seconds, for every service that waits: AWS's limits are the account's.
#[test]
fn asking_again_whether_tasks_run_costs_three_calls() {
    // A hook runs on its process's first thread. Those of tests have a quarter of its stack, and the SDK's debug build fills it.
    let first = std::thread::Builder::new().stack_size(8 << 20).spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime starts").block_on(calls_of_three_polls())
    });
    let asked = first.expect("a thread starts").join().expect("every poll is answered");
    let again = ["DescribeServiceDeployments", "DescribeServices", "DescribeTargetHealth"];
    assert_eq!(asked[1], again);
    assert_eq!(asked[2], again);
}

/// What after-install asks of AWS at each of three polls, while one of green's two tasks still starts.
async fn calls_of_three_polls() -> Vec<Vec<String>> {
    let server = Server::start(|action, body| match action {
        "DescribeServices" => json(
            r#"{"services": [{"desiredCount": 2, "deployments": [
                {"id": "ecs-svc/2222", "status": "PRIMARY", "desiredCount": 2, "runningCount": 1, "pendingCount": 1,
                 "taskDefinition": "arn:aws:ecs:eu-central-1:123456789012:task-definition/orders:42"},
                {"id": "ecs-svc/1111", "status": "ACTIVE", "desiredCount": 2, "runningCount": 2,
                 "taskDefinition": "arn:aws:ecs:eu-central-1:123456789012:task-definition/orders:41"}]}]}"#,
        ),
        "DescribeTargetHealth" => xml(action, "<TargetHealthDescriptions></TargetHealthDescriptions>"),
        "DescribeTaskDefinition" => json(r#"{"taskDefinition": {"status": "ACTIVE", "containerDefinitions": []}}"#),
        "GetParameter" => json_error(400, "ParameterNotFound", "none"),
        _ => native(action, body),
    });
    let checks = Checks::fixed(|| {
        vec![
            Box::new(GreenRunsTargetRevision),
            Box::new(GreenTasksAreSteady),
            Box::new(GreenTargetsAreHealthy::new()),
            Box::new(GreenSpansZones),
        ]
    });
    let hook = greenlight::serve::hook(Stage::AfterInstall, checks.into(), &settings(&server), Redactions::default());
    let hook = hook.expect("region and credentials are there");
    let mut event = value!({"resourceArn": DEPLOYMENT, "lifecycleStage": "POST_SCALE_UP"});
    let mut asked = Vec::new();
    for _ in 0..3 {
        let before = server.calls().len();
        let answer = hook.handle(&event, Duration::from_secs(60)).await.expect("an answer");
        assert_eq!((&answer["hookStatus"], &answer["callBackDelay"]), (&value!("IN_PROGRESS"), &value!(10)));
        event["hookDetails"] = answer["hookDetails"].clone();
        let mut calls: Vec<String> = server.calls().into_iter().skip(before).map(|(action, _)| action).collect();
        calls.sort();
        asked.push(calls);
    }
    asked
}

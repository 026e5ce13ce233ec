//! The real AWS clients against a server on loopback that speaks the wire protocols: what is asked side by side, page by
//! page, and what is said when AWS refuses.

#[path = "aws/functions.rs"]
mod functions;
#[path = "aws/native.rs"]
mod native;
#[path = "aws/one_off.rs"]
mod one_off;
#[path = "aws/stores.rs"]
mod stores;
#[path = "aws/wire.rs"]
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use greenlight::answer::{Answers, PutError};
use greenlight::aws::Aws;
use greenlight::deployment::{Action, Deployment, DeploymentId, HookExecutionId};
use greenlight::discovery::{Deployments, DiscoveryError};
use greenlight::event::Event;
use greenlight::ports::{Alarms, Metrics, Parameters, Secret, Targets, Tasks};
use greenlight::report::Verdict;
use greenlight::report::words::chain;
use greenlight::settings::{Credentials, Settings};

use wire::{Reply, Server, json, json_error, xml};

const TASK_DEFINITION: &str = "arn:aws:ecs:eu-central-1:123456789012:task-definition/orders:42";
const APP_SPEC: &str = r#"{"version": 0.0, "Resources": [{"TargetService": {"Type": "AWS::ECS::Service", "Properties":
    {"TaskDefinition": "arn:aws:ecs:eu-central-1:123456789012:task-definition/orders:42",
     "LoadBalancerInfo": {"ContainerName": "app", "ContainerPort": 8080}}}}]}"#;
const PRODUCTION: &str = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/shop/aaaa/bbbb";
const LOAD_BALANCER: &str = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/shop/aaaa";

/// Calls that depend on nothing but the deployment's record. Each is held back until all of them have arrived.
const SECOND_STEP: [&str; 8] = [
    "GetDeploymentGroup",
    "GetApplicationRevision",
    "BatchGetDeploymentTargets",
    "DescribeServices",
    "DescribeTargetGroups",
    "DescribeListeners",
    "DescribeRules",
    "DescribeLoadBalancers",
];

/// A whole deployment whose lists come in pages.
fn deployment(action: &str, body: &str) -> Reply {
    match action {
        "GetDeployment" => json(&format!(
            r#"{{"deploymentInfo": {{"applicationName": "shop", "deploymentGroupName": "orders", "creator": "user",
                "status": "InProgress", "computePlatform": "ECS", "deploymentConfigName": "CodeDeployDefault.ECSAllAtOnce",
                "revision": {{"revisionType": "AppSpecContent", "appSpecContent": {{"sha256": "{}"}}}},
                "loadBalancerInfo": {{"targetGroupPairInfoList": [{{
                    "targetGroups": [{{"name": "one"}}, {{"name": "two"}}],
                    "prodTrafficRoute": {{"listenerArns": ["{PRODUCTION}"]}}}}]}},
                "blueGreenDeploymentConfiguration": {{"terminateBlueInstancesOnDeploymentSuccess":
                    {{"action": "TERMINATE", "terminationWaitTimeInMinutes": 7}}}}}}}}"#,
            wire::sha256(APP_SPEC)
        )),
        "ListDeploymentTargets" if !body.contains("nextToken") => json(r#"{"targetIds": [], "nextToken": "2"}"#),
        "ListDeploymentTargets" => json(r#"{"targetIds": ["shop:orders"]}"#),
        "GetDeploymentGroup" => json(
            r#"{"deploymentGroupInfo": {"alarmConfiguration": {"enabled": true, "alarms": [{"name": "orders-5xx"}]},
                "autoRollbackConfiguration": {"enabled": true, "events": ["DEPLOYMENT_FAILURE"]}}}"#,
        ),
        "GetApplicationRevision" => json(&format!(
            r#"{{"revision": {{"revisionType": "AppSpecContent", "appSpecContent": {{"content": {}}}}}}}"#,
            wire::quoted(APP_SPEC)
        )),
        "BatchGetDeploymentTargets" => json(
            r#"{"deploymentTargets": [{"deploymentTargetType": "ECSTarget", "ecsTarget": {
                "lifecycleEvents": [{"lifecycleEventName": "AfterInstall", "status": "InProgress"}],
                "taskSetsInfo": [{"identifer": "ecs-svc/1", "taskSetLabel": "Blue", "trafficWeight": 100.0}]}}]}"#,
        ),
        "DescribeServices" => json(&format!(
            r#"{{"services": [{{"desiredCount": 2, "taskSets": [
                {{"id": "ecs-svc/2", "externalId": "d-3QX9ZK2LE", "status": "ACTIVE", "taskDefinition": "{TASK_DEFINITION}",
                  "loadBalancers": [{{"targetGroupArn": "arn:two"}}], "computedDesiredCount": 2}},
                {{"id": "ecs-svc/1", "externalId": "d-EARLIER01", "status": "PRIMARY", "taskDefinition": "a/orders:41",
                  "loadBalancers": [{{"targetGroupArn": "arn:one"}}], "stabilityStatus": "STEADY_STATE"}}]}}]}}"#
        )),
        "DescribeTargetGroups" if !body.contains("Marker") => xml(
            action,
            "<TargetGroups><member><TargetGroupName>one</TargetGroupName><TargetGroupArn>arn:one</TargetGroupArn>\
             <HealthCheckPath>/health</HealthCheckPath></member></TargetGroups><NextMarker>2</NextMarker>",
        ),
        "DescribeTargetGroups" => xml(
            action,
            "<TargetGroups><member><TargetGroupName>two</TargetGroupName><TargetGroupArn>arn:two</TargetGroupArn>\
             </member></TargetGroups>",
        ),
        "DescribeListeners" => xml(
            action,
            &format!(
                "<Listeners><member><ListenerArn>{PRODUCTION}</ListenerArn><Port>443</Port><Protocol>HTTPS</Protocol>\
                 <LoadBalancerArn>{LOAD_BALANCER}</LoadBalancerArn></member></Listeners>"
            ),
        ),
        "DescribeRules" if !body.contains("Marker") => xml(
            action,
            "<Rules><member><RuleArn>default</RuleArn><Priority>default</Priority><Actions><member>\
             <Type>fixed-response</Type></member></Actions></member></Rules><NextMarker>2</NextMarker>",
        ),
        "DescribeRules" => xml(
            action,
            "<Rules><member><RuleArn>first</RuleArn><Priority>10</Priority><Conditions><member><Field>host-header</Field>\
             <HostHeaderConfig><Values><member>orders.example.com</member></Values></HostHeaderConfig></member></Conditions>\
             <Actions><member><Type>forward</Type><ForwardConfig><TargetGroups><member><TargetGroupArn>arn:one\
             </TargetGroupArn><Weight>100</Weight></member></TargetGroups></ForwardConfig></member></Actions></member></Rules>",
        ),
        "DescribeLoadBalancers" => xml(
            action,
            &format!(
                "<LoadBalancers><member><LoadBalancerArn>{LOAD_BALANCER}</LoadBalancerArn><DNSName>shop.elb</DNSName>\
                 <Scheme>internal</Scheme><Type>application</Type></member></LoadBalancers>"
            ),
        ),
        other => json_error(400, "UnknownOperationException", other),
    }
}

fn settings(server: &Server) -> Settings {
    let credentials =
        Credentials { key_id: "AKIDEXAMPLE".to_owned(), secret_key: Secret::new("secret"), session_token: None };
    Settings {
        region: Some("eu-central-1".to_owned()),
        credentials: Some(credentials),
        endpoint: Some(server.url()),
        ..Settings::default()
    }
}

fn aws(server: &Server) -> Aws {
    Aws::new(&settings(server)).expect("region and credentials are there")
}

async fn discover(aws: &Aws) -> Result<Deployment, DiscoveryError> {
    let record = aws.record(&DeploymentId("d-3QX9ZK2LE".to_owned())).await?;
    aws.describe(record).await
}

/// Were one call to wait for another, the server would hold it back for ever.
#[tokio::test]
async fn what_depends_on_nothing_else_is_asked_side_by_side() {
    let server = Server::start(deployment).holding(&SECOND_STEP);
    let found = discover(&aws(&server)).await.expect("everything is answered");
    assert_eq!(found.target_task_definition, TASK_DEFINITION);
    assert_eq!(found.service.desired_count, 2);
    let (blue, green) = (found.blue.expect("there is a blue"), found.green.expect("there is a green"));
    assert_eq!((blue.target_group_arn.as_str(), green.target_group_arn.as_str()), ("arn:one", "arn:two"));
    assert_eq!((blue.traffic_percent, blue.steady, green.steady), (Some(100.0), true, false));
    assert_eq!(found.termination_wait_minutes, Some(7));
    assert_eq!(found.alarms.names, ["orders-5xx"]);
    assert_eq!(found.events_in_progress, ["AfterInstall"]);
}

/// The checks ask for the service and the listeners right after the deployment was looked up.
#[tokio::test]
async fn what_was_read_a_moment_ago_is_not_asked_again() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let server = Server::start(move |action, body| {
        counted.fetch_add(1, Ordering::Relaxed);
        deployment(action, body)
    });
    let aws = aws(&server);
    let found = discover(&aws).await.expect("everything is answered");
    let asked = calls.load(Ordering::Relaxed);
    let again = tokio::join!(aws.task_sets("shop", "orders"), aws.listener(PRODUCTION));
    assert_eq!(again.0.expect("it was answered").len(), 2);
    assert_eq!(again.1.expect("it was answered"), found.production);
    assert_eq!(calls.load(Ordering::Relaxed), asked);
}

/// A frozen process may not notice how much time has passed: what looks fresh can be an hour old.
#[tokio::test]
async fn nothing_that_an_earlier_invocation_was_told_counts_in_the_next() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let server = Server::start(move |action, body| {
        counted.fetch_add(1, Ordering::Relaxed);
        deployment(action, body)
    });
    let aws = aws(&server);
    discover(&aws).await.expect("everything is answered");
    let first = calls.load(Ordering::Relaxed);
    discover(&aws).await.expect("everything is answered");
    assert_eq!(calls.load(Ordering::Relaxed), 2 * first);
}

#[tokio::test]
async fn every_page_is_read_and_the_default_rule_comes_last() {
    let server = Server::start(deployment);
    let found = discover(&aws(&server)).await.expect("everything is answered");
    let groups: Vec<&str> = found.target_groups.iter().map(|group| group.arn.as_str()).collect();
    assert_eq!(groups, ["arn:one", "arn:two"]);
    let rules: Vec<_> = found.production.rules.iter().map(|rule| (rule.arn.as_str(), rule.priority)).collect();
    assert_eq!(rules, [("first", Some(10)), ("default", None)]);
    assert_eq!(found.production.rules[0].hosts, ["orders.example.com"]);
    assert_eq!(found.production.rules[1].action, Action::Other("fixed-response".to_owned()));
    assert_eq!(found.production.load_balancer.dns_name, "shop.elb");
}

#[tokio::test]
async fn a_refused_call_names_action_object_code_and_request() {
    let server = Server::start(|action, body| match action {
        "GetDeploymentGroup" => json_error(400, "AccessDeniedException", "not authorized"),
        _ => deployment(action, body),
    });
    let error = discover(&aws(&server)).await.expect_err("the group is refused");
    assert_eq!(
        chain(&error),
        "codedeploy:GetDeploymentGroup of shop/orders: AccessDeniedException: not authorized (request request-1)"
    );
    assert_eq!(error.remedy(), "Allow codedeploy:GetDeploymentGroup in the function's role, then redeploy.");
    assert!(!error.is_transient());
}

/// Early in `BeforeInstall` CodeDeploy may not have made the targets yet.
#[tokio::test]
async fn a_deployment_that_has_not_started_may_be_asked_again() {
    let server = Server::start(|action, body| match action {
        "ListDeploymentTargets" => json_error(400, "DeploymentNotStartedException", "not yet"),
        _ => deployment(action, body),
    });
    assert!(discover(&aws(&server)).await.expect_err("there is no target").is_transient());
}

#[tokio::test]
async fn an_app_spec_with_another_digest_is_refused() {
    let server = Server::start(|action, body| match action {
        "GetApplicationRevision" => {
            json(r#"{"revision": {"revisionType": "AppSpecContent", "appSpecContent": {"content": "version: 0.0"}}}"#)
        }
        _ => deployment(action, body),
    });
    let error = discover(&aws(&server)).await.expect_err("the content is another");
    assert!(error.to_string().contains("SHA-256"), "{error}");
}

fn event() -> Event {
    Event { deployment: DeploymentId("d-3QX9ZK2LE".to_owned()), execution: HookExecutionId("eyJ1".to_owned()) }
}

#[tokio::test]
async fn the_answer_is_codedeploys_word_for_the_verdict() {
    for (verdict, word) in [(Verdict::Proceed, "Succeeded"), (Verdict::Stop, "Failed")] {
        let server = Server::start(|_, _| json(r#"{"lifecycleEventHookExecutionId": "eyJ1"}"#));
        aws(&server).put(&event(), verdict).await.expect("the answer is taken");
        let (action, body) = server.calls().remove(0);
        assert_eq!(action, "PutLifecycleEventHookExecutionStatus");
        let expected =
            format!(r#"{{"deploymentId":"d-3QX9ZK2LE","lifecycleEventHookExecutionId":"eyJ1","status":"{word}"}}"#);
        assert_eq!(body, expected);
    }
}

/// Whoever stands between us and CodeDeploy may say 200 to anything.
#[tokio::test]
async fn an_answer_that_does_not_name_the_execution_is_not_codedeploys() {
    for said in ["{}", r#"{"lifecycleEventHookExecutionId": "another"}"#] {
        let server = Server::start(move |_, _| json(said));
        let error = aws(&server).put(&event(), Verdict::Stop).await.expect_err("nobody has taken it");
        assert!(matches!(error, PutError::Transient(_)), "{error}");
    }
}

/// A target group without a request has series without points; an answer without series is none.
#[tokio::test]
async fn what_cloudwatch_does_not_say_is_not_nothing() {
    let server = Server::start(|_, _| wire::cbor_of_nothing());
    let hour_ago = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1);
    let error = aws(&server)
        .requests(LOAD_BALANCER, ["targetgroup/one/cccc", "targetgroup/two/dddd"], hour_ago)
        .await
        .expect_err("nothing is said");
    assert!(chain(&error).ends_with("the answer has no series of RequestCount"), "{}", chain(&error));
}

/// `ThrottlingException` is not in the operation's model, and comes all the same.
#[tokio::test]
async fn what_became_of_an_answer_is_told_by_its_code() {
    let put = async |status, code: &'static str| {
        let server = Server::start(move |_, _| json_error(status, code, "said"));
        let error = aws(&server).put(&event(), Verdict::Stop).await.expect_err("the answer is not taken");
        assert_eq!(server.calls().len(), 1, "retries are not the client's");
        error
    };
    assert!(matches!(put(400, "LifecycleEventAlreadyCompletedException").await, PutError::AlreadyCompleted));
    assert!(matches!(put(400, "ThrottlingException").await, PutError::Transient(_)));
    assert!(matches!(put(503, "ServiceUnavailable").await, PutError::Transient(_)));
    assert!(matches!(put(400, "InvalidLifecycleEventHookExecutionIdException").await, PutError::Refused(_)));
}

#[tokio::test]
async fn what_does_not_exist_is_none_and_no_error() {
    let server = Server::start(|action, _| match action {
        "GetParameter" => json_error(400, "ParameterNotFound", "none"),
        _ => json_error(400, "ClientException", "Unable to describe task definition."),
    });
    let aws = aws(&server);
    assert_eq!(aws.parameter("/greenlight/shop/orders").await.expect("an answer"), None);
    assert_eq!(aws.task_definition("orders:42").await.expect("an answer"), None);
}

/// Whoever took it for one would ask the usual questions instead of the plan's.
#[tokio::test]
async fn an_empty_answer_is_no_parameter_that_does_not_exist() {
    let server = Server::start(|_, _| json("{}"));
    let error = aws(&server).parameter("/greenlight/shop/orders").await.expect_err("nobody knows");
    assert_eq!(error.to_string(), "ssm:GetParameter of /greenlight/shop/orders");
}

#[tokio::test]
async fn an_alarm_that_cannot_be_read_is_no_quiet_alarm() {
    let server = Server::start(|_, _| json_error(403, "AccessDenied", "not authorized"));
    let error = aws(&server).states(&["orders-5xx".to_owned()]).await.expect_err("the call is refused");
    assert!(error.remedy.contains("cloudwatch:DescribeAlarms"), "{}", error.remedy);
}

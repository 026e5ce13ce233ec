//! A deployment of a Lambda function, and the function itself.

use std::time::Duration;

use greenlight::deployment::{Alias, FunctionDeployment};
use greenlight::ports::{FunctionCall, Functions as _};

use super::wire::{function_error, rest_error};
use super::*;

const FUNCTION_SPEC: &str = r#"{"version": 0.0, "Resources": [{"TargetFunction": {"Type": "AWS::Lambda::Function",
    "Properties": {"Name": "orders", "Alias": "live", "CurrentVersion": "41", "TargetVersion": "42"}}}]}"#;

fn function(action: &str, body: &str) -> Reply {
    match action {
        "GetDeployment" => json(&format!(
            r#"{{"deploymentInfo": {{"applicationName": "shop", "deploymentGroupName": "orders", "creator": "user",
                "status": "InProgress", "computePlatform": "Lambda",
                "deploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce",
                "revision": {{"revisionType": "AppSpecContent", "appSpecContent": {{"sha256": "{}"}}}}}}}}"#,
            wire::sha256(FUNCTION_SPEC)
        )),
        "ListDeploymentTargets" => json(r#"{"targetIds": ["orders:live"]}"#),
        "BatchGetDeploymentTargets" => json(
            r#"{"deploymentTargets": [{"deploymentTargetType": "LambdaTarget", "lambdaTarget": {
                "lifecycleEvents": [{"lifecycleEventName": "BeforeAllowTraffic", "status": "InProgress"}],
                "lambdaFunctionInfo": {"functionName": "orders", "functionAlias": "live", "currentVersion": "41",
                    "targetVersion": "42", "targetVersionWeight": 10.0}}}]}"#,
        ),
        "GetApplicationRevision" => json(&format!(
            r#"{{"revision": {{"revisionType": "AppSpecContent", "appSpecContent": {{"content": {}}}}}}}"#,
            wire::quoted(FUNCTION_SPEC)
        )),
        other => deployment(other, body),
    }
}

async fn discover(aws: &Aws) -> Result<FunctionDeployment, DiscoveryError> {
    let record = aws.record(&DeploymentId("d-3QX9ZK2LE".to_owned())).await?;
    aws.describe_function(record).await
}

/// Were the group to wait for the target, the server would hold it back for ever. ECS and the load balancer are not asked.
#[tokio::test]
async fn a_function_is_known_from_the_deployments_id_alone() {
    let server = Server::start(function).holding(&["GetDeploymentGroup", "BatchGetDeploymentTargets"]);
    let found = discover(&aws(&server)).await.expect("everything is answered");
    assert_eq!((found.shift.invoked().as_str(), found.shift.target.as_str()), ("orders:live", "42"));
    assert_eq!((found.target_percent, found.alarms.names), (Some(10.0), vec!["orders-5xx".to_owned()]));
    assert_eq!(found.events_in_progress, ["BeforeAllowTraffic"]);
    let mut asked: Vec<String> = server.calls().into_iter().map(|(action, _)| action).collect();
    asked.sort();
    assert_eq!(asked, ["BatchGetDeploymentTargets", "GetDeployment", "GetDeploymentGroup", "ListDeploymentTargets"]);
}

#[tokio::test]
async fn what_the_target_leaves_out_stands_in_the_app_spec() {
    let server = Server::start(|action, body| match action {
        "BatchGetDeploymentTargets" => json(
            r#"{"deploymentTargets": [{"deploymentTargetType": "LambdaTarget", "lambdaTarget": {
                "lambdaFunctionInfo": {"functionName": "orders"}}}]}"#,
        ),
        _ => function(action, body),
    });
    let found = discover(&aws(&server)).await.expect("everything is answered");
    assert_eq!((found.shift.invoked().as_str(), found.shift.current.as_str()), ("orders:live", "41"));
}

/// Nobody would know at which lifecycle event CodeDeploy is.
#[tokio::test]
async fn a_deployment_without_a_target_is_not_described() {
    for silent in ["ListDeploymentTargets", "BatchGetDeploymentTargets"] {
        let server =
            Server::start(move |action, body| if action == silent { json("{}") } else { function(action, body) });
        let error = discover(&aws(&server)).await.expect_err("there is no target").to_string();
        assert_eq!(error, format!("codedeploy:{silent} of d-3QX9ZK2LE"));
    }
}

#[tokio::test]
async fn the_shares_of_an_alias_are_percentages() {
    let server = Server::start(|action, _| {
        assert_eq!(action, "/2015-03-31/functions/orders/aliases/live");
        json(r#"{"FunctionVersion": "41", "RoutingConfig": {"AdditionalVersionWeights": {"42": 0.25, "43": 0.0}}}"#)
    });
    let alias = aws(&server).alias("orders", "live").await.expect("an answer");
    assert_eq!(alias, Alias { version: "41".to_owned(), additional: vec![("42".to_owned(), 25.0)] });
}

fn call(timeout: Duration) -> FunctionCall {
    FunctionCall {
        function: "orders".to_owned(),
        version: "42".to_owned(),
        event: r#"{"sku":"A1"}"#.to_owned(),
        timeout,
    }
}

#[tokio::test]
async fn a_version_is_invoked_past_the_alias_and_its_error_is_no_error_of_the_call() {
    let server = Server::start(|_, _| function_error(r#"{"errorType": "KeyError", "errorMessage": "sku"}"#));
    let invoked = aws(&server).invoke(call(Duration::from_secs(5))).await.expect("Lambda answers");
    let invoked = invoked.expect("in time");
    assert_eq!((invoked.error.as_deref(), invoked.version.as_deref()), (Some("Unhandled"), Some("42")));
    assert!(String::from_utf8_lossy(&invoked.payload).contains("KeyError"));
    let (path, event) = server.calls().remove(0);
    assert_eq!(path, "/2015-03-31/functions/orders/invocations?Qualifier=42");
    assert_eq!(event, r#"{"sku":"A1"}"#);
}

/// An event may have done its work though nobody was told.
#[tokio::test]
async fn an_invocation_is_sent_once_whatever_becomes_of_it() {
    let transient = async |status, code: &'static str| {
        let server = Server::start(move |_, _| rest_error(status, code));
        let error = aws(&server).invoke(call(Duration::from_secs(5))).await.expect_err("Lambda refuses");
        assert_eq!(server.calls().len(), 1, "{code}");
        error.transient
    };
    assert!(transient(429, "TooManyRequestsException").await);
    assert!(transient(409, "ResourceConflictException").await);
    assert!(!transient(403, "AccessDeniedException").await);
    let server =
        Server::start(|_, _| json("{}")).holding(&["/2015-03-31/functions/orders/invocations?Qualifier=42", "never"]);
    let late = aws(&server).invoke(call(Duration::from_millis(200))).await.expect("no error");
    assert!(late.is_none());
    assert_eq!(server.calls().len(), 1);
}

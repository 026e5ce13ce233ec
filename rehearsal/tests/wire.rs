//! The endpoint over real HTTP: who calls is known, faults strike, every call is written down, times are the client's.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use rehearsal::wire::{Wire, WireHandle};
use rehearsal::world::World;
use rehearsal::world::faults::{Fault, FaultKind};
use serde_json::{Value, json};

#[path = "fixture/world.rs"]
mod fixture;

const HOOK: &str = "CodeDeployHook_before-install";

/// An answer: status and body.
type Answer = (u16, String);

async fn send(request: http::Request<Full<Bytes>>) -> Result<Answer, String> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await.map_err(|error| format!("{error:?}"))?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map_err(|error| format!("{error:?}"))?.to_bytes();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

/// A call in awsJson, signed with this access key.
async fn call(wire: &WireHandle, key: &str, service: &str, target: &str, input: Value) -> Result<Answer, String> {
    let credential =
        format!("AWS4-HMAC-SHA256 Credential={key}/20261121/eu-west-1/{service}/aws4_request, Signature=0");
    let request = http::Request::post(wire.url())
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", target)
        .header("authorization", credential);
    send(request.body(input.to_string().into()).expect("a request")).await
}

async fn get_deployment(wire: &WireHandle, key: &str) -> Result<Answer, String> {
    let input = json!({ "deploymentId": "d-UNDERWAY1" });
    call(wire, key, "codedeploy", "CodeDeploy_20141006.GetDeployment", input).await
}

async fn describe_target_groups(wire: &WireHandle, key: &str) -> Result<Answer, String> {
    let credential =
        format!("AWS4-HMAC-SHA256 Credential={key}/20261121/eu-west-1/elasticloadbalancing/aws4_request, Signature=0");
    let request = http::Request::post(wire.url())
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        .header("authorization", credential);
    let form = "Action=DescribeTargetGroups&Version=2015-12-01";
    send(request.body(form.into()).expect("a request")).await
}

fn strike(world: &World, operation: &str, kind: FaultKind, times: Option<u32>) {
    let (caller, operation) = (Some(HOOK.to_owned()), operation.to_owned());
    let fault = Fault { caller, operation, kind, after: 0, times };
    world.update(|state| state.faults.push(fault));
}

#[tokio::test]
async fn a_refused_permission_reads_as_iam_writes_it() {
    let world = fixture::world();
    let wire = Wire::start(world.clone(), None).await.expect("it starts");
    strike(&world, "GetDeployment", FaultKind::AccessDenied, None);
    let (status, body) = get_deployment(&wire, "AKIDHOOK").await.expect("an answer");
    let error: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, error["__type"].as_str()), (400, Some("AccessDeniedException")));
    assert_eq!(
        error["message"].as_str(),
        Some(
            "User: arn:aws:sts::123456789012:assumed-role/CodeDeployHook_before-install-role/\
             CodeDeployHook_before-install is not authorized to perform: codedeploy:GetDeployment on resource: \
             arn:aws:codedeploy:eu-west-1:123456789012:deploymentgroup:orders/production because no identity-based \
             policy allows the codedeploy:GetDeployment action"
        )
    );
    let (status, _) = get_deployment(&wire, "AKIDPERSON").await.expect("an answer");
    assert_eq!(status, 200, "a fault for the hook must not strike a person");
}

#[tokio::test]
async fn every_fault_that_answers_does_so_in_the_words_of_the_protocol() {
    let expected = [
        (FaultKind::AccessDenied, (400, "AccessDeniedException"), (403, "<Code>AccessDenied</Code>")),
        (FaultKind::Throttled, (400, "ThrottlingException"), (400, "<Code>Throttling</Code>")),
        (FaultKind::ExpiredToken, (400, "ExpiredTokenException"), (403, "<Code>ExpiredToken</Code>")),
        (FaultKind::ServerError, (500, "InternalFailure"), (500, "<Code>InternalFailure</Code>")),
        (FaultKind::Unavailable, (503, "ServiceUnavailable"), (503, "<Code>ServiceUnavailable</Code>")),
        (FaultKind::Empty, (200, "{}"), (200, "<DescribeTargetGroupsResponse")),
        (FaultKind::Garbage, (200, "corporate proxy"), (200, "corporate proxy")),
    ];
    let world = fixture::world();
    let wire = Wire::start(world.clone(), None).await.expect("it starts");
    for (kind, in_json, in_xml) in expected {
        strike(&world, "GetDeployment", kind.clone(), Some(1));
        strike(&world, "elasticloadbalancing:DescribeTargetGroups", kind.clone(), Some(1));
        let answers = [
            (get_deployment(&wire, "AKIDHOOK").await.expect("an answer"), in_json),
            (describe_target_groups(&wire, "AKIDHOOK").await.expect("an answer"), in_xml),
        ];
        for ((status, body), (expected_status, expected_text)) in answers {
            assert_eq!(status, expected_status, "{kind:?}: {body}");
            assert!(body.contains(expected_text), "{kind:?}: {body}");
        }
    }
    assert!(world.read(|state| state.faults.is_empty()), "each fault strikes once");
    assert_eq!(get_deployment(&wire, "AKIDHOOK").await.expect("an answer").0, 200);
}

#[tokio::test]
async fn a_reset_closes_the_connection_and_a_delay_only_takes_time() {
    let world = fixture::world();
    let wire = Wire::start(world.clone(), None).await.expect("it starts");
    strike(&world, "GetDeployment", FaultKind::Reset, Some(1));
    assert!(get_deployment(&wire, "AKIDHOOK").await.is_err(), "a reset has no answer");
    strike(&world, "GetDeployment", FaultKind::Delay(Duration::from_millis(30)), Some(1));
    assert_eq!(get_deployment(&wire, "AKIDHOOK").await.expect("an answer").0, 200);
    let calls = wire.calls();
    assert_eq!(calls[0].status, None);
    assert!(calls[1].took.is_some_and(|took| took >= Duration::from_millis(30)), "{:?}", calls[1].took);
}

#[tokio::test]
async fn a_call_that_hangs_is_written_down_and_holds_up_no_other() {
    let world = fixture::world();
    let wire = Wire::start(world.clone(), None).await.expect("it starts");
    strike(&world, "GetDeployment", FaultKind::Hang, None);
    let hangs = get_deployment(&wire, "AKIDHOOK");
    let another = async {
        while wire.calls().is_empty() {
            tokio::task::yield_now().await;
        }
        get_deployment(&wire, "AKIDPERSON").await
    };
    tokio::select! {
        answer = hangs => panic!("a hang has no answer, got {answer:?}"),
        answer = another => assert_eq!(answer.expect("an answer").0, 200),
    }
    let calls = wire.calls();
    assert_eq!((calls[0].caller.as_deref(), calls[0].took), (Some(HOOK), None));
    assert_eq!(calls[1].status, Some(200));
}

#[tokio::test]
async fn every_call_is_written_down_with_caller_operation_and_outcome() {
    let world = fixture::world();
    let wire = Wire::start(world, None).await.expect("it starts");
    get_deployment(&wire, "AKIDHOOK").await.expect("an answer");
    let target = "AmazonEC2ContainerServiceV20141113.DeleteCluster";
    call(&wire, "AKIDPERSON", "ecs", target, json!({})).await.expect("an answer");
    describe_target_groups(&wire, "AKIDHOOK").await.expect("an answer");
    let told: Vec<_> = wire
        .calls()
        .into_iter()
        .map(|call| (call.caller, format!("{}:{}", call.service, call.operation), call.status, call.error))
        .collect();
    let hook = Some(HOOK.to_owned());
    let refused = Some("NotImplementedException".to_owned());
    assert_eq!(
        told,
        [
            (hook.clone(), "codedeploy:GetDeployment".to_owned(), Some(200), None),
            (None, "ecs:DeleteCluster".to_owned(), Some(501), refused),
            (hook, "elasticloadbalancing:DescribeTargetGroups".to_owned(), Some(200), None),
        ]
    );
}

#[tokio::test]
async fn an_age_is_the_same_for_the_client_when_the_world_has_run_ahead() {
    let world = fixture::world();
    let wire = Wire::start(world.clone(), None).await.expect("it starts");
    world.clock.skip(Duration::from_secs(3600), Duration::from_millis(50)).await;
    let stands_still = world.clock.working();
    let (_, body) = get_deployment(&wire, "AKIDPERSON").await.expect("an answer");
    let answer: Value = serde_json::from_str(&body).expect("JSON");
    let told = answer["deploymentInfo"]["createTime"].as_f64().expect("seconds");
    let age_for_client = Timestamp::now().as_millisecond() as f64 / 1000.0 - told;
    let created = world.read(|state| state.codedeploy.deployment("d-UNDERWAY1").map(|it| it.created_at));
    let age = world.now().duration_since(created.expect("it is there")).as_secs_f64();
    assert!(age > 4200.0, "ten minutes and an hour: {age}");
    assert!((age - age_for_client).abs() < 5.0, "{age} in the world, {age_for_client} for the client");
    drop(stands_still);
}

#[tokio::test]
async fn a_port_in_use_is_said_in_one_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("an address").port();
    let error = Wire::start(fixture::world(), Some(port)).await.err().expect("the port is taken");
    assert_eq!(
        error.to_string(),
        format!("cannot listen on 127.0.0.1:{port} for AWS calls: give another port or free this one")
    );
}

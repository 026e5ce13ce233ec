//! Who is answered in the place of a dead hook, and how.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use greenlight::answer::{Answers, PutError};
use greenlight::check::CannotTell;
use greenlight::deployment::{Deployment, DeploymentId, FunctionDeployment};
use greenlight::discovery::{Deployments, DiscoveryError, Platform, Record, Revision, Settings};
use greenlight::event::Event;
use greenlight::ports::{LogStream, Logs};
use greenlight::report::Verdict;
use report_failure::StandIn;
use serde_json::{Value, json};

const LEFT: Duration = Duration::from_secs(30);
const FUNCTION: &str = "CodeDeployHook_greenlight-after-install";

/// AWS as this function sees it.
#[derive(Default)]
struct Aws {
    /// Who started the deployment, and its state; `None`: nobody knows.
    record: Option<(&'static str, &'static str)>,
    /// What the hook wrote; more of it each time that somebody looks.
    lines: Mutex<Vec<Vec<String>>>,
    /// What CodeDeploy says to an answer.
    refuses: Option<fn() -> PutError>,
    given: Mutex<Vec<(Event, Verdict)>>,
}

#[async_trait]
impl Deployments for Aws {
    async fn record(&self, id: &DeploymentId) -> Result<Record, DiscoveryError> {
        let Some((creator, status)) = self.record else {
            return Err(DiscoveryError::unfit("no such deployment", "Look for it."));
        };
        Ok(Record {
            id: id.clone(),
            application: "shop".to_owned(),
            group: "orders".to_owned(),
            config: String::new(),
            creator: creator.to_owned(),
            status: status.to_owned(),
            platform: Platform::Ecs,
            undoes: None,
            override_alarms: None,
            settings: Settings::default(),
            revision: Revision::AppSpecContent { sha256: String::new() },
            target_ids: Vec::new(),
        })
    }

    async fn describe(&self, _: Record) -> Result<Deployment, DiscoveryError> {
        unreachable!("nothing else is asked of a deployment")
    }

    async fn describe_function(&self, _: Record) -> Result<FunctionDeployment, DiscoveryError> {
        unreachable!("nothing else is asked of a deployment")
    }
}

#[async_trait]
impl Logs for Aws {
    async fn last_lines(&self, stream: &LogStream, _: u16) -> Result<Option<Vec<String>>, CannotTell> {
        assert_eq!(stream.group, format!("/aws/lambda/{FUNCTION}"));
        let mut looks = self.lines.lock().expect("no test panics with it");
        Ok(Some(if looks.len() > 1 { looks.remove(0) } else { looks.first().cloned().unwrap_or_default() }))
    }
}

#[async_trait]
impl Answers for Aws {
    async fn put(&self, event: &Event, verdict: Verdict) -> Result<(), PutError> {
        match self.refuses {
            Some(refusal) => Err(refusal()),
            None => {
                self.given.lock().expect("no test panics with it").push((event.clone(), verdict));
                Ok(())
            }
        }
    }
}

impl Aws {
    fn running() -> Self {
        Self { record: Some(("user", "InProgress")), ..Self::default() }
    }

    /// What became of the event, and what CodeDeploy was answered.
    async fn told(self, event: Value) -> (Result<Value, String>, Vec<(String, Verdict)>) {
        let aws = Arc::new(self);
        let stand_in = StandIn {
            deployments: aws.clone(),
            logs: aws.clone(),
            answers: aws.clone(),
            region: "eu-west-1".to_owned(),
        };
        let returned = stand_in.handle(&event, LEFT).await.map_err(|error| error.error_message);
        let given = aws.given.lock().expect("no test panics with it");
        (returned, given.iter().map(|(event, verdict)| (event.execution.0.clone(), *verdict)).collect())
    }
}

fn message(id: &str, payload: Value, said: &str) -> Value {
    let body = json!({
        "requestContext": {"requestId": "r-1", "condition": "RetriesExhausted",
            "functionArn": format!("arn:aws:lambda:eu-west-1:123456789012:function:{FUNCTION}:$LATEST")},
        "requestPayload": payload,
        "responsePayload": {"errorType": "HookError", "errorMessage": said},
    });
    json!({"messageId": id, "eventSource": "aws:sqs", "body": body.to_string()})
}

fn event(execution: &str) -> Value {
    json!({"DeploymentId": "d-1", "LifecycleEventHookExecutionId": execution})
}

fn queued(messages: &[Value]) -> Value {
    json!({ "Records": messages })
}

/// Lambda's line about the invocation `r-1`, as a subscription brings it.
fn subscribed() -> Value {
    let line = json!({"type": "platform.report", "record": {"requestId": "r-1", "status": "timeout"}});
    let told = json!({"messageType": "DATA_MESSAGE", "logGroup": format!("/aws/lambda/{FUNCTION}"), "logStream": "s",
        "logEvents": [{"id": "1", "timestamp": 1, "message": line.to_string()}]});
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(told.to_string().as_bytes()).expect("memory takes bytes");
    let packed = packer.finish().expect("memory takes bytes");
    json!({"awslogs": {"data": base64::engine::general_purpose::STANDARD.encode(packed)}})
}

fn lines(of: &[Value]) -> Vec<String> {
    of.iter().map(ToString::to_string).collect()
}

fn begins() -> Value {
    json!({"type": "platform.start", "record": {"requestId": "r-1"}})
}

fn first_line() -> Value {
    json!({"level": "INFO", "message": "after-install is asked about d-1 (execution e-1)"})
}

fn settled() -> Result<Value, String> {
    Ok(json!({"batchItemFailures": []}))
}

#[tokio::test]
async fn a_deployment_whose_hook_died_is_stopped() {
    let told = Aws::running().told(queued(&[message("m-1", event("e-1"), "")])).await;
    assert_eq!(told, (settled(), vec![("e-1".to_owned(), Verdict::Stop)]));
}

#[tokio::test]
async fn the_way_back_stays_open() {
    let rollback = Aws { record: Some(("codeDeployRollback", "InProgress")), ..Aws::default() };
    let told = rollback.told(queued(&[message("m-1", event("e-1"), "")])).await;
    assert_eq!(told, (settled(), vec![("e-1".to_owned(), Verdict::Proceed)]));
}

/// A deployment that nobody knows anything of is stopped: it is no rollback that anybody knows of.
#[tokio::test]
async fn not_knowing_is_no_yes() {
    let told = Aws::default().told(queued(&[message("m-1", event("e-1"), "")])).await;
    assert_eq!(told, (settled(), vec![("e-1".to_owned(), Verdict::Stop)]));
}

#[tokio::test]
async fn nobody_is_answered_for_a_deployment_that_is_over() {
    let over = Aws { record: Some(("user", "Stopped")), ..Aws::default() };
    assert_eq!(over.told(queued(&[message("m-1", event("e-1"), "")])).await, (settled(), Vec::new()));
}

#[tokio::test]
async fn an_answer_that_codedeploy_has_is_not_overridden() {
    let answered = Aws { refuses: Some(|| PutError::AlreadyCompleted), ..Aws::running() };
    assert_eq!(answered.told(queued(&[message("m-1", event("e-1"), "")])).await, (settled(), Vec::new()));
}

#[tokio::test]
async fn what_the_hook_had_decided_and_could_not_deliver_is_delivered() {
    let said = "the answer Succeeded could not be delivered (attempts: 3): no way out; deliver it by hand: aws …";
    let told = Aws::running().told(queued(&[message("m-1", event("e-1"), said)])).await;
    assert_eq!(told, (settled(), vec![("e-1".to_owned(), Verdict::Proceed)]));
}

/// The others of a batch are settled; it alone comes again.
#[tokio::test]
async fn a_message_that_cannot_be_settled_stays_in_the_queue() {
    let batch = queued(&[
        message("m-1", event("e-1"), ""),
        json!({"messageId": "m-2", "eventSource": "aws:sqs", "body": "hello"}),
        message("m-3", json!({"hello": 1}), ""),
    ]);
    let (returned, given) = Aws::running().told(batch).await;
    assert_eq!(returned, Ok(json!({"batchItemFailures": [{"itemIdentifier": "m-2"}]})), "m-3 named nobody");
    assert_eq!(given, [("e-1".to_owned(), Verdict::Stop)]);
    let refused = Aws { refuses: Some(|| PutError::Refused("denied".to_owned())), ..Aws::running() };
    let (returned, _) = refused.told(queued(&[message("m-1", event("e-1"), "")])).await;
    assert_eq!(returned, Ok(json!({"batchItemFailures": [{"itemIdentifier": "m-1"}]})));
}

#[tokio::test(start_paused = true)]
async fn a_line_that_comes_late_is_waited_for() {
    let aws = Aws::running();
    *aws.lines.lock().expect("no test panics with it") =
        vec![Vec::new(), lines(&[begins()]), lines(&[begins(), first_line()])];
    assert_eq!(aws.told(subscribed()).await, (settled(), vec![("e-1".to_owned(), Verdict::Stop)]));
}

/// An error: Lambda calls again a minute later, and in the end a person is told.
#[tokio::test(start_paused = true)]
async fn a_hook_that_died_without_a_word_is_no_success() {
    let aws = Aws::running();
    *aws.lines.lock().expect("no test panics with it") = vec![lines(&[begins()])];
    let (returned, given) = aws.told(subscribed()).await;
    let error = returned.expect_err("nobody was answered");
    assert!(error.starts_with(&format!("{FUNCTION} was killed at its timeout before it wrote")), "{error}");
    assert!(given.is_empty());
}

#[tokio::test]
async fn an_event_of_somebody_else_is_refused() {
    let (returned, given) = Aws::running().told(event("e-1")).await;
    assert!(returned.expect_err("it is not for this function").contains("neither messages of a queue"));
    assert!(given.is_empty());
    let nothing: BTreeMap<String, Value> = BTreeMap::new();
    assert!(Aws::running().told(json!(nothing)).await.0.is_err());
}

//! One invocation by ECS, end to end in memory: the answer is what the function returns, and nothing blocks the way back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use greenlight::check::{Answer, CannotTell, Check, CheckContext};
use greenlight::deployment::{Deployment, Rollback};
use greenlight::fakes::{BLUE_GROUP, FakeEngine, Fakes, Fault, GREEN_GROUP, deployment, forward, native_record};
use greenlight::hook::{Hook, Waiting};
use greenlight::redaction::Redactions;
use greenlight::{Checks, Plan, PlanError, Stage};
use serde_json::{Value, json};

const GREEN: &str = "arn:aws:ecs:eu-central-1:123456789012:service-revision/shop/orders/2222222222222222222";

fn event(stage: &str, details: Value) -> Value {
    json!({
        "executionId": "4f1c7a0e-6a43-4d3c-9a57-0f3c6f6e4d11",
        "lifecycleStage": stage,
        "resourceArn": native_record().arn.arn,
        "executionDetails": {"targetServiceRevisionArn": GREEN, "productionTrafficWeights": {}},
        "hookDetails": details,
    })
}

type Asks = fn(&Plan) -> Result<Vec<Box<dyn Check>>, PlanError>;

fn hook(stage: Stage, checks: Asks, engine: &FakeEngine) -> Hook {
    Hook {
        stage,
        checks: Checks::planned(checks).into(),
        outside: engine.outside(&Fakes::well()),
        plan: None,
        region: "eu-central-1".to_owned(),
        function: None,
        redactions: Redactions::default(),
        waiting: Waiting::default(),
    }
}

async fn ask(hook: &Hook, event: &Value) -> Value {
    hook.handle(event, Duration::from_secs(60)).await.expect("whoever names a deployment gets an answer")
}

/// Says yes, no, or panics.
struct Says(&'static str);

#[async_trait]
impl Check for Says {
    fn id(&self) -> &'static str {
        self.0
    }
    fn question(&self) -> String {
        "Is it so?".to_owned()
    }
    async fn ask(&self, _: &CheckContext) -> Result<Answer, CannotTell> {
        match self.0 {
            "yes" => Ok(Answer::yes("it is")),
            "no" => Ok(Answer::no("it is not", "Mend it.")),
            _ => panic!("broken"),
        }
    }
}

fn yes(_: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
    Ok(vec![Box::new(Says("yes"))])
}

fn no(_: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
    Ok(vec![Box::new(Says("yes")), Box::new(Says("no"))])
}

fn panics(_: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
    Ok(vec![Box::new(Says("yes")), Box::new(Says("panics"))])
}

#[tokio::test]
async fn the_answer_is_what_the_function_returns() {
    let engine = FakeEngine::of(deployment());
    for (checks, status) in [(yes as Asks, "SUCCEEDED"), (no, "FAILED"), (panics, "FAILED")] {
        let answer = ask(&hook(Stage::AfterInstall, checks, &engine), &event("POST_SCALE_UP", Value::Null)).await;
        assert_eq!(answer, json!({ "hookStatus": status }));
    }
    assert!(engine.state().answers.is_empty(), "CodeDeploy is not told");
}

#[tokio::test]
async fn the_older_flat_event_is_answered_alike() {
    let engine = FakeEngine::of(deployment());
    let flat = json!({
        "lifecycleStage": "POST_SCALE_UP", "resourceArn": native_record().arn.arn, "targetServiceRevisionArn": GREEN,
    });
    assert_eq!(ask(&hook(Stage::AfterInstall, yes, &engine), &flat).await, json!({"hookStatus": "SUCCEEDED"}));
}

#[tokio::test]
async fn an_event_that_names_no_deployment_is_an_error_of_the_function() {
    let hook = hook(Stage::AfterInstall, yes, &FakeEngine::of(deployment()));
    let error = hook.handle(&json!({"lifecycleStage": "POST_SCALE_UP"}), Duration::from_secs(60)).await;
    assert_eq!(
        error.expect_err("nobody is named").to_string(),
        "the event has no resourceArn; keys seen: lifecycleStage"
    );
}

#[tokio::test]
async fn a_rollback_is_let_pass_at_every_stage_and_nothing_is_asked() {
    for status in ["ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"] {
        let engine = FakeEngine::of(deployment());
        engine.state().native.status = status.to_owned();
        for stage in ["PRODUCTION_TRAFFIC_SHIFT", "TEST_TRAFFIC_SHIFT", "POST_SCALE_UP", "A_NEW_STAGE"] {
            let answer = ask(&hook(Stage::AfterInstall, panics, &engine), &event(stage, Value::Null)).await;
            assert_eq!(answer, json!({"hookStatus": "SUCCEEDED"}), "{stage}");
        }
        assert_eq!(engine.state().described, 0);
    }
}

/// The weights look the same before the first step of a deployment that goes forward.
#[tokio::test]
async fn weights_alone_are_no_rollback() {
    let engine = FakeEngine::of(deployment());
    let mut event = event("PRE_PRODUCTION_TRAFFIC_SHIFT", Value::Null);
    event["executionDetails"]["productionTrafficWeights"] = json!({GREEN: 0, "blue": 100});
    assert_eq!(ask(&hook(Stage::BeforeAllowTraffic, no, &engine), &event).await, json!({"hookStatus": "FAILED"}));
}

#[tokio::test(start_paused = true)]
async fn a_way_back_is_not_blocked_though_ecs_does_not_answer() {
    let engine = FakeEngine::of(deployment());
    let mut event = event("PRODUCTION_TRAFFIC_SHIFT", Value::Null);
    engine.state().faults.push_back(Fault::Hang);
    assert_eq!(ask(&hook(Stage::AfterInstall, yes, &engine), &event).await, json!({"hookStatus": "FAILED"}));
    event["executionDetails"]["productionTrafficWeights"] = json!({GREEN: 0, "blue": 100});
    engine.state().faults.push_back(Fault::Hang);
    assert_eq!(ask(&hook(Stage::AfterInstall, yes, &engine), &event).await, json!({"hookStatus": "SUCCEEDED"}));
}

#[tokio::test]
async fn an_older_revision_is_a_way_back_too() {
    let rollback = Some(Rollback::Manual { from: "orders:42".to_owned(), to: "orders:41".to_owned() });
    let engine = FakeEngine::of(Deployment { rollback, ..deployment() });
    let answer = ask(&hook(Stage::AfterInstall, no, &engine), &event("POST_SCALE_UP", Value::Null)).await;
    assert_eq!(answer, json!({"hookStatus": "SUCCEEDED"}));
}

#[tokio::test]
async fn a_hook_answers_only_at_the_stages_where_it_belongs() {
    let engine = FakeEngine::of(deployment());
    for stage in Stage::ALL {
        for at in greenlight::lifecycle_stage::LifecycleStage::ALL {
            let answer = ask(&hook(stage, yes, &engine), &event(at.name(), Value::Null)).await;
            let belongs = stage.native_stages().contains(&at);
            assert_eq!(answer["hookStatus"], if belongs { "SUCCEEDED" } else { "FAILED" }, "{stage} at {at}");
        }
        let unknown = ask(&hook(stage, yes, &engine), &event("PRE_LUNCH", Value::Null)).await;
        assert_eq!(unknown, json!({"hookStatus": "FAILED"}));
    }
}

#[tokio::test]
async fn what_is_no_service_deployment_or_is_over_fails_with_a_reason() {
    let engine = FakeEngine::of(deployment());
    let hook = hook(Stage::AfterInstall, yes, &engine);
    let mut old = event("POST_SCALE_UP", Value::Null);
    old["resourceArn"] = json!("arn:aws:ecs:eu-central-1:123456789012:service/orders");
    assert_eq!(ask(&hook, &old).await, json!({"hookStatus": "FAILED"}));
    engine.state().native.status = "STOPPED".to_owned();
    assert_eq!(ask(&hook, &event("POST_SCALE_UP", Value::Null)).await, json!({"hookStatus": "FAILED"}));
}

#[tokio::test]
async fn details_of_another_version_fail_and_those_of_the_team_do_not_matter() {
    let engine = FakeEngine::of(deployment());
    let hook = hook(Stage::AfterInstall, yes, &engine);
    for foreign in [json!({"greenlight": {"version": 0}}), json!({"greenlight": "?"}), json!([1]), json!("x")] {
        let answer = ask(&hook, &event("POST_SCALE_UP", foreign.clone())).await;
        assert_eq!(answer, json!({"hookStatus": "FAILED"}), "{foreign}");
    }
    let teams = ask(&hook, &event("POST_SCALE_UP", json!({"team": "orders", "greenlights": {"version": 0}}))).await;
    assert_eq!(teams, json!({"hookStatus": "SUCCEEDED"}));
}

/// Counts its looks across invocations, and is content with the third.
struct ThirdLook(AtomicUsize);

#[async_trait]
impl Check for ThirdLook {
    fn id(&self) -> &'static str {
        "third-look"
    }
    fn question(&self) -> String {
        "Is this the third look?".to_owned()
    }
    async fn ask(&self, _: &CheckContext) -> Result<Answer, CannotTell> {
        let look = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        match look {
            3 => Ok(Answer::yes("the third look")),
            _ => Ok(Answer::not_yet(format!("look {look}"), Duration::from_secs(30), "Wait.")),
        }
    }
    fn remember(&self) -> Option<Value> {
        Some(json!(self.0.load(Ordering::Relaxed)))
    }
    fn recall(&self, remembered: &Value) {
        let looks = remembered.as_u64().and_then(|looks| usize::try_from(looks).ok());
        self.0.store(looks.unwrap_or_default(), Ordering::Relaxed);
    }
}

static ONCE: AtomicUsize = AtomicUsize::new(0);

/// Must not be asked twice: it places an order, say.
struct Once;

#[async_trait]
impl Check for Once {
    fn id(&self) -> &'static str {
        "once"
    }
    fn question(&self) -> String {
        "Is an order taken?".to_owned()
    }
    async fn ask(&self, _: &CheckContext) -> Result<Answer, CannotTell> {
        ONCE.fetch_add(1, Ordering::Relaxed);
        Ok(Answer::yes("order 7 was taken"))
    }
}

#[tokio::test]
async fn what_is_not_so_yet_is_asked_again_by_ecs_and_what_was_answered_is_not() {
    fn checks(_: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
        Ok(vec![Box::new(Once), Box::new(ThirdLook(AtomicUsize::new(0)))])
    }
    let engine = FakeEngine::of(deployment());
    let hook = hook(Stage::AfterAllowTraffic, checks, &engine);
    let at = "POST_PRODUCTION_TRAFFIC_SHIFT";
    let mut details = json!({"team": "orders"});
    for _ in 0..2 {
        let answer = ask(&hook, &event(at, details.clone())).await;
        assert_eq!(answer["hookStatus"], "IN_PROGRESS");
        assert_eq!(answer["callBackDelay"], 30);
        details["greenlight"] = answer["hookDetails"]["greenlight"].clone();
    }
    assert_eq!(ask(&hook, &event(at, details)).await, json!({"hookStatus": "SUCCEEDED"}));
    assert_eq!(ONCE.load(Ordering::Relaxed), 1);
    assert_eq!(engine.state().described, 1, "the deployment is looked up once");
}

/// A process that has not seen the deployment looks it up; what was seen before comes with the event.
#[tokio::test]
async fn another_process_goes_on_where_the_first_ended() {
    fn checks(_: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
        Ok(vec![Box::new(ThirdLook(AtomicUsize::new(0)))])
    }
    let engine = FakeEngine::of(deployment());
    let mut details = Value::Null;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let answer = ask(&hook(Stage::AfterInstall, checks, &engine), &event("POST_SCALE_UP", details)).await;
        details = answer["hookDetails"].clone();
        statuses.push(answer["hookStatus"].clone());
    }
    assert_eq!(statuses, ["IN_PROGRESS", "IN_PROGRESS", "SUCCEEDED"]);
    assert_eq!(engine.state().described, 3);
}

/// Counts its looks, of which the fifth is the last, and cannot hand the count on.
struct FiveLooks(AtomicUsize);

#[async_trait]
impl Check for FiveLooks {
    fn id(&self) -> &'static str {
        "five-looks"
    }
    fn question(&self) -> String {
        "Is it so within five looks?".to_owned()
    }
    async fn ask(&self, _: &CheckContext) -> Result<Answer, CannotTell> {
        match self.0.fetch_add(1, Ordering::Relaxed) + 1 {
            5 => Ok(Answer::no("five looks in a row", "Mend it.")),
            look => Ok(Answer::not_yet(format!("look {look}"), Duration::from_secs(5), "Wait.")),
        }
    }
}

/// Elsewhere it would begin at one again, for as long as a deployment waits.
#[tokio::test(start_paused = true)]
async fn what_counts_its_looks_and_remembers_no_count_is_waited_for_in_one_invocation() {
    fn checks(_: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
        Ok(vec![Box::new(FiveLooks(AtomicUsize::new(0)))])
    }
    let hook = hook(Stage::AfterInstall, checks, &FakeEngine::of(deployment()));
    assert_eq!(ask(&hook, &event("POST_SCALE_UP", Value::Null)).await, json!({"hookStatus": "FAILED"}));
}

#[tokio::test]
async fn a_no_beside_it_ends_the_waiting() {
    fn checks(_: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
        Ok(vec![Box::new(ThirdLook(AtomicUsize::new(0))), Box::new(Says("no"))])
    }
    let hook = hook(Stage::AfterInstall, checks, &FakeEngine::of(deployment()));
    assert_eq!(ask(&hook, &event("POST_SCALE_UP", Value::Null)).await, json!({"hookStatus": "FAILED"}));
}

#[tokio::test]
async fn nobody_waits_for_ever() {
    fn checks(_: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
        Ok(vec![Box::new(ThirdLook(AtomicUsize::new(0)))])
    }
    let hook = hook(Stage::AfterInstall, checks, &FakeEngine::of(deployment()));
    let mut details = ask(&hook, &event("POST_SCALE_UP", Value::Null)).await["hookDetails"].clone();
    details["greenlight"]["since"] = json!((jiff::Timestamp::now() - jiff::SignedDuration::from_mins(55)).to_string());
    assert_eq!(ask(&hook, &event("POST_SCALE_UP", details)).await, json!({"hookStatus": "FAILED"}));
}

/// A canary and a linear deployment call it before every step.
#[tokio::test]
async fn steps_are_judged_by_who_looks_at_users_and_passed_by_who_asked_before_the_first() {
    let (before, after) = (Stage::BeforeAllowTraffic, Stage::AfterAllowTraffic);
    let cases = [
        (before, 0, Some(0.0), "FAILED"),
        (before, 10, Some(10.0), "SUCCEEDED"),
        (after, 0, Some(0.0), "SUCCEEDED"),
        (after, 0, None, "SUCCEEDED"),
        (after, 10, Some(10.0), "FAILED"),
        // Where ECS and the rule do not say the same, somebody else changes the rule: nothing is taken for answered.
        (before, 10, Some(0.0), "FAILED"),
        (before, 10, None, "FAILED"),
        (after, 0, Some(10.0), "FAILED"),
    ];
    for (stage, by_rule, by_ecs, expected) in cases {
        let mut deployment = deployment();
        deployment.production.rules = vec![forward(&[(BLUE_GROUP, 100 - by_rule), (GREEN_GROUP, by_rule)])];
        let engine = FakeEngine::of(deployment);
        engine.state().native.green_percent = by_ecs;
        let answer = ask(&hook(stage, no, &engine), &event("PRE_PRODUCTION_TRAFFIC_SHIFT", Value::Null)).await;
        assert_eq!(answer["hookStatus"], expected, "{} {by_rule} {by_ecs:?}", stage.hook_name());
    }
}

/// Its snapshot may be older than the event.
#[tokio::test]
async fn the_weights_of_the_event_go_before_those_of_the_deployment() {
    let engine = FakeEngine::of(deployment());
    engine.state().native.green_percent = Some(10.0);
    let mut event = event("PRE_PRODUCTION_TRAFFIC_SHIFT", Value::Null);
    event["executionDetails"]["productionTrafficWeights"] = json!({GREEN: 0, "blue": 100});
    let answer = ask(&hook(Stage::AfterAllowTraffic, no, &engine), &event).await;
    assert_eq!(answer, json!({"hookStatus": "SUCCEEDED"}), "no user is on green before the first step");
}

/// What one step was asked and answered says nothing about the next.
#[tokio::test]
async fn a_step_does_not_inherit_the_answers_of_the_one_before() {
    fn checks(_: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
        Ok(vec![Box::new(ThirdLook(AtomicUsize::new(0)))])
    }
    let mut stepped = deployment();
    stepped.production.rules = vec![forward(&[(BLUE_GROUP, 90), (GREEN_GROUP, 10)])];
    let engine = FakeEngine::of(stepped);
    let hook = hook(Stage::AfterAllowTraffic, checks, &engine);
    let at = "PRE_PRODUCTION_TRAFFIC_SHIFT";
    engine.state().native.green_percent = Some(10.0);
    let first = ask(&hook, &event(at, Value::Null)).await["hookDetails"].clone();
    engine.state().native.green_percent = Some(20.0);
    let next = ask(&hook, &event(at, first)).await;
    assert_eq!(next["hookDetails"]["greenlight"]["remembered"]["third-look"], 1);
}

#[tokio::test]
async fn many_at_once_are_answered_each() {
    let hook = Arc::new(hook(Stage::AfterInstall, yes, &FakeEngine::of(deployment())));
    let asked = (0..20).map(|_| {
        let hook = Arc::clone(&hook);
        async move { ask(&hook, &event("POST_SCALE_UP", Value::Null)).await }
    });
    let answers = futures::future::join_all(asked).await;
    assert!(answers.iter().all(|answer| answer["hookStatus"] == "SUCCEEDED"));
}

//! What takes longer than an invocation: the hook calls itself with what it knows.

use greenlight::Questions;
use greenlight::kept::Kept;

use super::*;

/// Is content after ten minutes, looks every half minute, and remembers since when.
struct TenMinutes(std::sync::Mutex<Option<jiff::Timestamp>>);

#[async_trait]
impl Check for TenMinutes {
    fn id(&self) -> &'static str {
        "ten-minutes"
    }
    fn question(&self) -> String {
        "Are ten minutes over?".to_owned()
    }
    async fn ask(&self, context: &CheckContext) -> Result<Answer, CannotTell> {
        let since = *self.0.lock().expect("no panic").get_or_insert(context.now);
        if context.now.duration_since(since).as_mins() >= 10 {
            return Ok(Answer::yes("ten minutes are over"));
        }
        Ok(Answer::not_yet("not yet", Duration::from_secs(30), "Wait."))
    }
    fn remember(&self) -> Option<Value> {
        self.0.lock().expect("no panic").map(|since| json!(since.to_string()))
    }
    fn recall(&self, remembered: &Value) {
        *self.0.lock().expect("no panic") = remembered.as_str().and_then(|since| since.parse().ok());
    }
}

fn checks(_: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
    Ok(vec![Box::new(Does("pass")), Box::new(TenMinutes(std::sync::Mutex::new(None)))])
}

fn waiting_hook(engine: &FakeEngine, world: &Fakes) -> Hook {
    let questions = Questions::of_both(Checks::planned(checks), Checks::none());
    Hook {
        function: Some("CodeDeployHook_orders".to_owned()),
        ..hook(Stage::AfterAllowTraffic, questions, engine.outside(world))
    }
}

#[tokio::test(start_paused = true)]
async fn it_leaves_itself_the_event_with_what_it_knows_and_answers_in_the_end() {
    let (engine, world) = (FakeEngine::of(deployment()), Fakes::well());
    let hook = waiting_hook(&engine, &world);
    let output = hook.handle(&event(), Duration::from_secs(60)).await.expect("it waits");
    assert_eq!((output, engine.state().answers.len()), (json!({"verdict": "wait"}), 0));
    let (function, next) = world.state().sent.pop().expect("it has called itself");
    let mut next: Value = serde_json::from_str(&next).expect("JSON");
    assert_eq!(function, "CodeDeployHook_orders");
    assert_eq!(next["DeploymentId"], event()["DeploymentId"]);
    let kept = Kept::read(&next, "AfterAllowTraffic", jiff::Timestamp::now()).expect("its own");
    assert!(kept.passed("pass").is_some() && kept.remembered("ten-minutes").is_some());
    for part in ["since", "remembered"] {
        let earlier = (jiff::Timestamp::now() - jiff::SignedDuration::from_mins(11)).to_string();
        let part = &mut next["greenlight"][part];
        *if part.is_object() { &mut part["ten-minutes"] } else { part } = json!(earlier);
    }
    hook.handle(&next, Duration::from_secs(60)).await.expect("it answers");
    assert_eq!(engine.state().answers.len(), 1);
    assert_eq!(engine.state().answers[0].1, Verdict::Proceed);
}

#[tokio::test(start_paused = true)]
async fn after_almost_an_hour_it_answers_no() {
    let (engine, world) = (FakeEngine::of(deployment()), Fakes::well());
    let hook = waiting_hook(&engine, &world);
    hook.handle(&event(), Duration::from_secs(60)).await.expect("it waits");
    let (_, next) = world.state().sent.pop().expect("it has called itself");
    let mut next: Value = serde_json::from_str(&next).expect("JSON");
    next["greenlight"]["since"] = json!((jiff::Timestamp::now() - jiff::SignedDuration::from_mins(55)).to_string());
    hook.handle(&next, Duration::from_secs(60)).await.expect("it answers");
    assert_eq!(engine.state().answers[0].1, Verdict::Stop);
    assert!(world.state().sent.is_empty());
}

#[tokio::test(start_paused = true)]
async fn where_it_may_not_call_itself_it_answers_no() {
    let (engine, world) = (FakeEngine::of(deployment()), Fakes::well());
    world.state().unreachable = Some(false);
    let hook = waiting_hook(&engine, &world);
    hook.handle(&event(), Duration::from_secs(60)).await.expect("it answers");
    assert_eq!(engine.state().answers[0].1, Verdict::Stop);
}

#[tokio::test(start_paused = true)]
async fn what_another_version_left_is_refused_by_name() {
    let (engine, world) = (FakeEngine::of(deployment()), Fakes::well());
    let mut event = event();
    event["greenlight"] = json!({"version": 9});
    let report = waiting_hook(&engine, &world).handle(&event, Duration::from_secs(60)).await.expect("it answers");
    assert_eq!(engine.state().answers[0].1, Verdict::Stop);
    let told = report.to_string();
    assert!(told.contains("its part `greenlight` has version 9, this hook reads version 1"), "{told}");
}

/// Nobody answers it, and asking again may help.
struct Throttled;

#[async_trait]
impl Check for Throttled {
    fn id(&self) -> &'static str {
        "throttled"
    }
    fn question(&self) -> String {
        "Is it told?".to_owned()
    }
    async fn ask(&self, _: &CheckContext) -> Result<Answer, CannotTell> {
        let (asked, remedy) = ("the alarms".to_owned(), "Wait.".to_owned());
        Err(CannotTell { asked, remedy, transient: true, source: Some("ThrottlingException".into()) })
    }
}

/// An hour would be lost for nothing.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_told_is_waited_for_in_one_invocation_only() {
    let (engine, world) = (FakeEngine::of(deployment()), Fakes::well());
    let questions = Questions::of_both(Checks::planned(|_| Ok(vec![Box::new(Throttled)])), Checks::none());
    let outside = engine.outside(&world);
    let throttled = hook(Stage::AfterAllowTraffic, questions, outside);
    let throttled = Hook { function: Some("CodeDeployHook_orders".to_owned()), ..throttled };
    throttled.handle(&event(), Duration::from_secs(60)).await.expect("it answers");
    assert_eq!(engine.state().answers[0].1, Verdict::Stop);
    assert!(world.state().sent.is_empty());
    let of_ecs = json!({
        "resourceArn": greenlight::fakes::native_record().arn.arn, "lifecycleStage": "POST_PRODUCTION_TRAFFIC_SHIFT",
    });
    let answer = throttled.handle(&of_ecs, Duration::from_secs(60)).await.expect("it answers");
    assert_eq!(answer, json!({"hookStatus": "FAILED"}));
}

/// A way back is not blocked by what nobody can read.
#[tokio::test(start_paused = true)]
async fn a_rollback_is_let_through_whatever_was_left() {
    let rollback = Some(Rollback::Automatic { of: None });
    let (engine, world) = (FakeEngine::of(Deployment { rollback, ..deployment() }), Fakes::well());
    let mut event = event();
    event["greenlight"] = json!({"version": 9});
    waiting_hook(&engine, &world).handle(&event, Duration::from_secs(60)).await.expect("it answers");
    assert_eq!(engine.state().answers[0].1, Verdict::Proceed);
}

//! One invocation of a hook, end to end in memory: whatever happens, CodeDeploy gets exactly one answer.

#[path = "serve/functions.rs"]
mod functions;
#[path = "serve/later.rs"]
mod later;
#[path = "serve/plan.rs"]
mod plan;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use greenlight::answer::PutError;
use greenlight::check::{Answer, CannotTell, Check, CheckContext};
use greenlight::checks::AlarmsStayQuiet;
use greenlight::deployment::{AlarmConfiguration, Deployment, DeploymentId, FunctionDeployment, Rollback};
use greenlight::fakes::{FakeEngine, Fakes, Fault, GREEN_GROUP, deployment, forward};
use greenlight::hook::{Hook, HookError, Outside, Waiting};

use greenlight::ports::{AlarmState, Alarms, Parameters, World};
use greenlight::redaction::Redactions;
use greenlight::report::Verdict;
use greenlight::{Checks, Plan, PlanError, Questions, Stage};
use serde_json::{Value, json};
use tokio::sync::Notify;

/// A check that does what its name says.
struct Does(&'static str);

#[async_trait]
impl Check for Does {
    fn id(&self) -> &'static str {
        self.0
    }

    fn question(&self) -> String {
        format!("Does it {}?", self.0)
    }

    async fn ask(&self, context: &CheckContext) -> Result<Answer, CannotTell> {
        match self.0 {
            "pass" => Ok(Answer::yes("2 of 2")),
            "fail" => Ok(Answer::no("1 of 2", "Mend the other.")),
            "panic" => panic!("index out of range"),
            "hang" => std::future::pending().await,
            "wait" => Ok(Answer::not_yet("1 of 2 tasks run", Duration::from_secs(1), "Look at the tasks.")),
            "leak" => {
                let secret = context.ports.secrets().value_for("shop", "shop/migrator").await?;
                Ok(Answer::no(format!("no login with {}", secret.expose()), format!("Try {}.", secret.expose())))
            }
            other => panic!("no such check: {other}"),
        }
    }
}

/// A check that breaks before it is asked, and would say yes.
struct BreaksInItsQuestion;

#[async_trait]
impl Check for BreaksInItsQuestion {
    fn id(&self) -> &'static str {
        "breaks-in-its-question"
    }

    fn question(&self) -> String {
        panic!("no words")
    }

    async fn ask(&self, _: &CheckContext) -> Result<Answer, CannotTell> {
        Ok(Answer::yes("nobody knows what"))
    }
}

fn none(_: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
    Ok(Vec::new())
}

fn pass(_: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
    Ok(vec![Box::new(Does("pass"))])
}

fn fail(_: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
    Ok(vec![Box::new(Does("pass")), Box::new(Does("fail"))])
}

fn panic(_: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
    Ok(vec![Box::new(Does("panic")), Box::new(Does("pass"))])
}

fn break_in_the_question(_: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
    Ok(vec![Box::new(BreaksInItsQuestion), Box::new(Does("pass"))])
}

fn hang(_: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
    Ok(vec![Box::new(Does("hang")), Box::new(Does("pass"))])
}

fn wait(_: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
    Ok(vec![Box::new(Does("wait"))])
}

fn wait_beside_a_no(_: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
    Ok(vec![Box::new(Does("wait")), Box::new(Does("fail"))])
}

fn leak(_: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
    Ok(vec![Box::new(Does("leak"))])
}

fn refuse(_: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
    Err("plan.yaml:3:5: `requests` is empty".into())
}

fn break_down(_: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
    panic!("no checks today")
}

/// What came of an invocation: the function's result, and the verdicts that CodeDeploy was given.
struct Outcome {
    result: Result<Value, HookError>,
    verdicts: Vec<Verdict>,
    took: Duration,
}

impl Outcome {
    fn report(&self) -> &Value {
        self.result.as_ref().expect("the function returned its report")
    }

    fn reason(&self) -> &str {
        self.report()["reason"].as_str().expect("a report has a reason")
    }

    /// `id outcome: evidence` of every row.
    fn rows(&self) -> Vec<String> {
        let text = |row: &Value, key: &str| row[key].as_str().expect("a row has this text").to_owned();
        let rows = self.report()["checks"].as_array().expect("a report has rows");
        rows.iter()
            .map(|row| format!("{} {}: {}", text(row, "check.id"), text(row, "outcome"), text(row, "evidence")))
            .collect()
    }
}

fn event() -> Value {
    json!({"DeploymentId": "d-3QX9ZK2LE", "LifecycleEventHookExecutionId": "eyJ1"})
}

type Make = fn(&Plan) -> Result<Vec<Box<dyn Check>>, PlanError>;

/// A hook with these checks, called once with a minute left.
async fn invoke(checks: Make, engine: &FakeEngine) -> Outcome {
    invoke_with(checks, engine, &Fakes::well(), event()).await
}

async fn invoke_with(checks: Make, engine: &FakeEngine, world: &Fakes, event: Value) -> Outcome {
    call(Checks::planned(checks), engine, engine.outside(world), event).await
}

async fn call(checks: Checks, engine: &FakeEngine, outside: Outside, event: Value) -> Outcome {
    call_at(Stage::AfterAllowTestTraffic, checks, engine, outside, event).await
}

fn hook(stage: Stage, checks: impl Into<Questions>, outside: Outside) -> Hook {
    Hook {
        stage,
        checks: checks.into(),
        outside,
        plan: None,
        region: "eu-central-1".to_owned(),
        function: None,
        redactions: Redactions::default(),
        waiting: Waiting::default(),
    }
}

async fn call_at(
    stage: Stage,
    checks: impl Into<Questions>,
    engine: &FakeEngine,
    outside: Outside,
    event: Value,
) -> Outcome {
    let hook = hook(stage, checks, outside);
    let started = tokio::time::Instant::now();
    let result = hook.handle(&event, Duration::from_secs(60)).await;
    let verdicts = engine.state().answers.iter().map(|(_, verdict)| *verdict).collect();
    Outcome { result, verdicts, took: started.elapsed() }
}

fn engine() -> FakeEngine {
    FakeEngine::of(deployment())
}

#[tokio::test(start_paused = true)]
async fn work_ok_and_delivery_ok_is_one_succeeded() {
    let outcome = invoke(pass, &engine()).await;
    assert_eq!(outcome.verdicts, [Verdict::Proceed]);
    assert_eq!(outcome.rows(), ["pass passed: 2 of 2"]);
}

#[tokio::test(start_paused = true)]
async fn work_that_fails_is_one_failed_and_hides_no_row() {
    let outcome = invoke(fail, &engine()).await;
    assert_eq!(outcome.verdicts, [Verdict::Stop]);
    assert_eq!(outcome.rows(), ["pass passed: 2 of 2", "fail failed: 1 of 2"]);
    assert_eq!(outcome.reason(), "fail: 1 of 2");
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_delivered_again_until_it_is_taken() {
    for (checks, verdict) in [(pass as Make, Verdict::Proceed), (fail, Verdict::Stop)] {
        let engine = engine();
        engine.state().answer_faults = (0..5).map(|_| PutError::Transient("ThrottlingException".to_owned())).collect();
        let outcome = invoke(checks, &engine).await;
        assert_eq!(outcome.verdicts, [verdict]);
        assert!(outcome.result.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_refused_fails_the_function_with_the_command_for_it() {
    for (checks, status) in [(pass as Make, "Succeeded"), (fail, "Failed")] {
        let engine = engine();
        engine.state().answer_faults = [PutError::Refused("AccessDeniedException".to_owned())].into();
        let outcome = invoke(checks, &engine).await;
        assert!(outcome.verdicts.is_empty());
        let error = outcome.result.expect_err("nobody took the answer").to_string();
        let command = format!(
            "aws deploy put-lifecycle-event-hook-execution-status --deployment-id d-3QX9ZK2LE \
             --lifecycle-event-hook-execution-id eyJ1 --status {status} --region eu-central-1"
        );
        assert!(error.contains("AccessDeniedException") && error.ends_with(&command), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_codedeploy_is_tried_until_lambda_is_about_to_kill_the_process() {
    let engine = engine();
    engine.state().answer_faults = (0..1000).map(|_| PutError::Transient("no answer".to_owned())).collect();
    let outcome = invoke(pass, &engine).await;
    assert!(outcome.result.is_err());
    assert!((57..60).contains(&outcome.took.as_secs()), "{:?}", outcome.took.as_secs_f64());
}

/// The API does not say which answer counted, so this is neither success nor an error of ours.
#[tokio::test(start_paused = true)]
async fn an_event_that_is_completed_already_is_not_ours_any_more() {
    let engine = engine();
    engine.state().answer_faults = [PutError::AlreadyCompleted].into();
    let outcome = invoke(pass, &engine).await;
    assert!(outcome.result.is_ok());
    assert!(outcome.verdicts.is_empty());
}

/// P2: a yes to a question that nobody knows is none.
#[tokio::test(start_paused = true)]
async fn a_check_that_panics_before_it_is_asked_stops_the_deployment() {
    let outcome = invoke(break_in_the_question, &engine()).await;
    assert_eq!(outcome.verdicts, [Verdict::Stop]);
    assert_eq!(
        outcome.rows(),
        ["unknown-check cannot_tell: the check itself broke before it was asked: no words", "pass passed: 2 of 2"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_check_that_panics_is_a_row_with_its_text() {
    let outcome = invoke(panic, &engine()).await;
    assert_eq!(outcome.verdicts, [Verdict::Stop]);
    assert_eq!(
        outcome.rows(),
        ["panic cannot_tell: the check itself broke: index out of range", "pass passed: 2 of 2"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_check_that_never_returns_leaves_the_reserve_for_the_answer() {
    let outcome = invoke(hang, &engine()).await;
    assert_eq!(outcome.verdicts, [Verdict::Stop]);
    assert_eq!(outcome.rows(), ["hang cannot_tell: no answer in 45 s", "pass passed: 2 of 2"]);
    assert_eq!(outcome.took.as_secs(), 45);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_come_in_time_says_how_far_it_came() {
    let outcome = invoke(wait, &engine()).await;
    assert_eq!(outcome.verdicts, [Verdict::Stop]);
    assert_eq!(outcome.rows(), ["wait not_yet: 1 of 2 tasks run, after 44 s"]);
}

/// An alarm may have sent everybody back while a bake time was waited for.
#[tokio::test(start_paused = true)]
async fn the_report_says_where_the_traffic_is_at_its_end() {
    let world = Fakes::well();
    world.state().listeners[0].rules = vec![forward(&[(GREEN_GROUP, 1)])];
    let outcome = invoke_with(wait, &engine(), &world, event()).await;
    assert_eq!(outcome.report()["traffic"], "traffic is on green (orders:42)");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_waited_for_once_a_check_has_stopped_the_deployment() {
    let outcome = invoke(wait_beside_a_no, &engine()).await;
    assert_eq!(outcome.verdicts, [Verdict::Stop]);
    assert_eq!(
        outcome.rows(),
        [
            "wait not_yet: 1 of 2 tasks run; not waited for, another check has stopped the deployment",
            "fail failed: 1 of 2"
        ]
    );
    assert!(outcome.took < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn an_advisory_no_is_told_and_stops_nothing() {
    let engine = engine();
    engine
        .state()
        .parameters
        .insert("/greenlight/shop/orders".to_owned(), "version: 1\nchecks: { green-answers: advisory }\n".to_owned());
    fn checks(_: &Plan) -> Result<Vec<Box<dyn Check>>, PlanError> {
        struct No;
        #[async_trait]
        impl Check for No {
            fn id(&self) -> &'static str {
                "green-answers"
            }
            fn question(&self) -> String {
                "Does green answer?".to_owned()
            }
            async fn ask(&self, _: &CheckContext) -> Result<Answer, CannotTell> {
                Ok(Answer::no("503", "Look at green."))
            }
        }
        Ok(vec![Box::new(No)])
    }
    let outcome = invoke(checks, &engine).await;
    assert_eq!(outcome.verdicts, [Verdict::Proceed]);
    assert_eq!(outcome.rows(), ["green-answers failed: 503"]);
    assert_eq!(outcome.report()["plan.source"], "parameter /greenlight/shop/orders");
}

/// Holds the hook's only thread until CodeDeploy has its answer, and then says yes.
struct HoldsTheThread(FakeEngine);

static HELD: std::sync::OnceLock<FakeEngine> = std::sync::OnceLock::new();

#[async_trait]
impl Check for HoldsTheThread {
    fn id(&self) -> &'static str {
        "holds-the-thread"
    }
    fn question(&self) -> String {
        "Does it ever end?".to_owned()
    }
    async fn ask(&self, _: &CheckContext) -> Result<Answer, CannotTell> {
        while self.0.state().answers.is_empty() {
            std::thread::yield_now();
        }
        Ok(Answer::yes("after all"))
    }
}

#[tokio::test]
async fn a_check_that_never_gives_its_thread_back_is_answered_for_once_and_with_no() {
    let engine = HELD.get_or_init(engine);
    let checks = Checks::fixed(|| vec![Box::new(HoldsTheThread(HELD.get().expect("it is set").clone()))]);
    let hook = hook(Stage::AfterInstall, checks, engine.outside(&Fakes::well()));
    let output = hook.handle(&event(), Duration::from_millis(400)).await.expect("a report");
    assert_eq!(engine.state().answers.iter().map(|(_, verdict)| *verdict).collect::<Vec<_>>(), [Verdict::Stop]);
    // The report says yes and comes too late.
    assert_eq!(output["verdict"], "go");
}

/// Holds the hook's only thread until CodeDeploy has refused an answer, and then says yes.
struct HoldsTheThreadUntilRefused(FakeEngine);

static REFUSED: std::sync::OnceLock<FakeEngine> = std::sync::OnceLock::new();

#[async_trait]
impl Check for HoldsTheThreadUntilRefused {
    fn id(&self) -> &'static str {
        "holds-the-thread"
    }
    fn question(&self) -> String {
        "Does it ever end?".to_owned()
    }
    async fn ask(&self, _: &CheckContext) -> Result<Answer, CannotTell> {
        while !self.0.state().answer_faults.is_empty() {
            std::thread::yield_now();
        }
        Ok(Answer::yes("after all"))
    }
}

/// Else Lambda would take it for a success, and nobody would answer in the hook's place.
#[tokio::test]
async fn an_answer_that_the_watchdog_could_not_deliver_is_the_functions_error() {
    let engine = REFUSED.get_or_init(|| {
        let engine = engine();
        engine.state().answer_faults = [PutError::Refused("denied".to_owned())].into();
        engine
    });
    let checks =
        Checks::fixed(|| vec![Box::new(HoldsTheThreadUntilRefused(REFUSED.get().expect("it is set").clone()))]);
    let hook = hook(Stage::AfterInstall, checks, engine.outside(&Fakes::well()));
    let error = hook.handle(&event(), Duration::from_millis(400)).await.expect_err("nobody has answered");
    assert!(matches!(&error, HookError::Delivery(error) if error.reason == "denied"), "{error}");
    assert!(engine.state().answers.is_empty());
}

/// Clocks may be wrong, and who has no time left loses nothing by trying.
#[tokio::test]
async fn a_deadline_in_the_past_is_answered_all_the_same() {
    let engine = engine();
    let hook = hook(Stage::AfterInstall, Checks::planned(hang), engine.outside(&Fakes::well()));
    hook.handle(&event(), Duration::ZERO).await.expect("a report");
    assert_eq!(engine.state().answers.iter().map(|(_, verdict)| *verdict).collect::<Vec<_>>(), [Verdict::Stop]);
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_cannot_be_looked_up_stops_with_what_aws_said() {
    let engine = engine();
    engine.state().faults = [Fault::Fail(false)].into();
    let outcome = invoke(pass, &engine).await;
    assert_eq!(outcome.verdicts, [Verdict::Stop]);
    assert_eq!(
        outcome.rows(),
        ["deployment-is-known cannot_tell: codedeploy:GetDeployment of d-3QX9ZK2LE: AccessDeniedException"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_lookup_that_is_throttled_is_made_again() {
    let engine = engine();
    engine.state().faults = [Fault::Fail(true), Fault::Fail(true), Fault::Fail(true)].into();
    assert_eq!(invoke(pass, &engine).await.verdicts, [Verdict::Proceed]);
}

#[tokio::test(start_paused = true)]
async fn a_lookup_that_hangs_or_panics_is_answered_in_time() {
    let engine = engine();
    engine.state().faults = [Fault::Hang].into();
    let outcome = invoke(pass, &engine).await;
    assert_eq!(outcome.verdicts, [Verdict::Stop]);
    assert_eq!(outcome.rows(), ["deployment-is-known cannot_tell: AWS did not answer in time"]);

    let engine = self::engine();
    engine.state().faults = [Fault::Panic].into();
    let outcome = invoke(pass, &engine).await;
    assert_eq!(outcome.verdicts, [Verdict::Stop]);
    assert_eq!(outcome.rows(), ["deployment-is-known cannot_tell: the answer was not understood"]);
}

#[tokio::test(start_paused = true)]
async fn a_rollback_is_let_through_without_a_question() {
    let automatic = Rollback::Automatic { of: Some(DeploymentId("d-BROKEN".to_owned())) };
    let manual = Rollback::Manual { from: "orders:42".to_owned(), to: "orders:41".to_owned() };
    for (rollback, reason) in [
        (automatic, "rollback of d-BROKEN, no question is asked"),
        (manual, "rollback from orders:42 to orders:41, no question is asked"),
    ] {
        let engine = FakeEngine::of(Deployment { rollback: Some(rollback), ..deployment() });
        let outcome = invoke(fail, &engine).await;
        assert_eq!(outcome.verdicts, [Verdict::Proceed]);
        assert!(outcome.rows().is_empty());
        assert_eq!(outcome.reason(), reason);
    }
}

/// Nothing that only the report needs may hold up the way back.
#[tokio::test(start_paused = true)]
async fn a_rollback_is_let_through_though_nothing_else_can_be_looked_up() {
    let rollback = Some(Rollback::Automatic { of: Some(DeploymentId("d-BROKEN".to_owned())) });
    let engine = FakeEngine::of(Deployment { rollback, ..deployment() });
    struct OnlyTheRecord(FakeEngine);
    #[async_trait]
    impl greenlight::discovery::Deployments for OnlyTheRecord {
        async fn record(
            &self,
            id: &DeploymentId,
        ) -> Result<greenlight::discovery::Record, greenlight::discovery::DiscoveryError> {
            self.0.record(id).await
        }
        async fn describe(
            &self,
            _: greenlight::discovery::Record,
        ) -> Result<Deployment, greenlight::discovery::DiscoveryError> {
            std::future::pending().await
        }
        async fn describe_function(
            &self,
            _: greenlight::discovery::Record,
        ) -> Result<FunctionDeployment, greenlight::discovery::DiscoveryError> {
            std::future::pending().await
        }
    }
    let mut outside = engine.outside(&Fakes::well());
    outside.deployments = std::sync::Arc::new(OnlyTheRecord(engine.clone()));
    let hook = Hook {
        stage: Stage::BeforeAllowTraffic,
        checks: Checks::planned(fail).into(),
        outside,
        plan: None,
        region: "eu-central-1".to_owned(),
        function: None,
        redactions: Redactions::default(),
        waiting: Waiting::default(),
    };
    let report = hook.handle(&event(), Duration::from_secs(60)).await.expect("the answer is taken");
    assert_eq!(engine.state().answers.len(), 1);
    assert_eq!(report["verdict"], "go");
    assert_eq!(report["service.name"], "shop/orders");
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_is_called_at_another_event_says_so_and_asks_nothing() {
    let events_in_progress = vec!["BeforeInstall".to_owned()];
    let engine = FakeEngine::of(Deployment { events_in_progress, ..deployment() });
    let outcome = invoke(pass, &engine).await;
    assert_eq!(outcome.verdicts, [Verdict::Stop]);
    assert_eq!(
        outcome.rows(),
        [
            "hook-is-wired-to-its-event failed: CodeDeploy is at BeforeInstall; this function is made for AfterAllowTestTraffic"
        ]
    );
}

/// Asynchronous invocations may arrive hours late.
#[tokio::test(start_paused = true)]
async fn an_event_of_a_deployment_that_is_over_is_answered_without_a_question() {
    let engine = FakeEngine::of(deployment());
    engine.state().status = "Stopped".to_owned();
    let outcome = invoke(pass, &engine).await;
    assert_eq!(outcome.verdicts, [Verdict::Stop]);
    assert_eq!(
        outcome.rows(),
        ["deployment-is-running failed: deployment d-3QX9ZK2LE is Stopped already; the event came late"]
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_that_names_nobody_is_an_error_that_shows_keys_and_no_values() {
    let event = json!({"deploymentId": "d-SECRET"});
    let outcome = invoke_with(pass, &engine(), &Fakes::well(), event).await;
    assert!(outcome.verdicts.is_empty());
    let error = outcome.result.expect_err("nobody can be answered").to_string();
    assert!(error.contains("deploymentId") && !error.contains("d-SECRET"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_a_check_lets_slip_is_in_no_report() {
    let world = Fakes::well();
    world.state().secrets.insert("shop/migrator".to_owned(), r#"{"password":"correct horse"}"#.to_owned());
    let outcome = invoke_with(leak, &engine(), &world, event()).await;
    assert_eq!(outcome.verdicts, [Verdict::Stop]);
    assert_eq!(outcome.rows(), ["leak failed: no login with [secret]"]);
    assert!(!outcome.report().to_string().contains("correct horse"));
}

#[tokio::test(start_paused = true)]
async fn a_hook_without_checks_goes_on() {
    let outcome = invoke(none, &engine()).await;
    assert_eq!(outcome.verdicts, [Verdict::Proceed]);
    assert_eq!(outcome.reason(), "nothing is asked here");
}

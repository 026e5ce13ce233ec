//! The plan: what is asked while it is looked up, and what becomes of one that is wrong.

use super::*;

/// Set by the check, waited for by the one who gives the plan; one for each test, for tests run side by side.
static ASKED: [Notify; 2] = [const { Notify::const_new() }; 2];

struct AfterTheCheck<const TEST: usize>(&'static str);

#[async_trait]
impl<const TEST: usize> Parameters for AfterTheCheck<TEST> {
    async fn parameter(&self, _: &str) -> Result<Option<String>, CannotTell> {
        ASKED[TEST].notified().await;
        Ok(Some(self.0.to_owned()))
    }

    async fn existing(&self, _: Option<&str>, _: &[String]) -> Result<Vec<String>, CannotTell> {
        Ok(Vec::new())
    }
}

struct Tells<const TEST: usize>;

#[async_trait]
impl<const TEST: usize> Check for Tells<TEST> {
    fn id(&self) -> &'static str {
        "green-answers"
    }
    fn question(&self) -> String {
        "Does green answer?".to_owned()
    }
    async fn ask(&self, _: &CheckContext) -> Result<Answer, CannotTell> {
        ASKED[TEST].notify_one();
        Ok(Answer::no("503", "Look at green."))
    }
}

#[tokio::test(start_paused = true)]
async fn what_needs_no_plan_is_asked_while_the_plan_is_looked_up_and_still_heeds_it() {
    let checks = || Checks::fixed(|| vec![Box::new(Tells::<0>), Box::new(Does("pass"))]);
    let advisory = "version: 1\nchecks: { green-answers: advisory }\n";
    let plans = [
        ("version: 1\n", Verdict::Stop, vec!["green-answers failed: 503", "pass passed: 2 of 2"]),
        (advisory, Verdict::Proceed, vec!["green-answers failed: 503", "pass passed: 2 of 2"]),
    ];
    for (plan, verdict, rows) in plans {
        let engine = engine();
        let outside = Outside { parameters: Arc::new(AfterTheCheck::<0>(plan)), ..engine.outside(&Fakes::well()) };
        let outcome = call(checks(), &engine, outside, event()).await;
        assert_eq!(outcome.verdicts, [verdict]);
        assert_eq!(outcome.rows(), rows);
    }
    let engine = engine();
    let outside =
        Outside { parameters: Arc::new(AfterTheCheck::<0>("version: 2\n")), ..engine.outside(&Fakes::well()) };
    let outcome = call(checks(), &engine, outside, event()).await;
    assert_eq!(outcome.verdicts, [Verdict::Stop]);
    assert!(outcome.rows()[0].starts_with("plan-is-readable failed"), "{:?}", outcome.rows());
}

/// The question that needs no plan is what lets the plan be found: were it to wait, nothing would ever be answered.
#[tokio::test(start_paused = true)]
async fn of_mixed_questions_those_that_need_no_plan_do_not_wait_for_it() {
    let checks = Checks::fixed(|| vec![Box::new(Tells::<1>)]).and_planned(pass);
    let engine = engine();
    let advisory = AfterTheCheck::<1>("version: 1\nchecks: { green-answers: advisory }\n");
    let outside = Outside { parameters: Arc::new(advisory), ..engine.outside(&Fakes::well()) };
    let outcome = call(checks, &engine, outside, event()).await;
    assert_eq!(outcome.verdicts, [Verdict::Proceed]);
    assert_eq!(outcome.rows(), ["green-answers failed: 503", "pass passed: 2 of 2"]);
}

/// One that waits for what may never come, and one beside it that has stopped the deployment.
#[tokio::test(start_paused = true)]
async fn a_no_that_needs_no_plan_ends_the_waiting_of_one_that_does() {
    let checks = Checks::fixed(|| vec![Box::new(Does("fail"))]).and_planned(wait);
    let engine = engine();
    let outcome = call(checks, &engine, engine.outside(&Fakes::well()), event()).await;
    assert_eq!(outcome.verdicts, [Verdict::Stop]);
    assert!(outcome.took < Duration::from_secs(5), "{:?}", outcome.took);
}

/// Tells when it is asked; gives its plan only then.
#[derive(Default)]
struct Once(Notify);

#[async_trait]
impl Alarms for Once {
    async fn states(&self, _: &[String]) -> Result<Vec<AlarmState>, CannotTell> {
        self.0.notify_one();
        Ok(Vec::new())
    }
}

#[async_trait]
impl Parameters for Once {
    async fn parameter(&self, _: &str) -> Result<Option<String>, CannotTell> {
        self.0.notified().await;
        Ok(None)
    }

    async fn existing(&self, _: Option<&str>, _: &[String]) -> Result<Vec<String>, CannotTell> {
        Ok(Vec::new())
    }
}

/// Were the alarms to wait for the plan, neither would ever be answered.
#[tokio::test(start_paused = true)]
async fn alarms_that_will_be_watched_are_read_beside_the_plan() {
    let (engine, once) = (engine(), Arc::new(Once::default()));
    let asked = once.clone();
    let world = Fakes::well();
    let outside = Outside {
        parameters: once,
        ports: Arc::new(move |_| World { alarms: asked.clone(), ..world.world() }.into()),
        ..engine.outside(&Fakes::well())
    };
    engine.state().deployment.alarms =
        AlarmConfiguration { enabled: true, ignore_poll_failure: false, names: vec!["orders-5xx".to_owned()] };
    let checks = Checks::planned(pass).looking_ahead(AlarmsStayQuiet::look_ahead);
    let outcome = call_at(Stage::AfterAllowTraffic, checks, &engine, outside, event()).await;
    assert_eq!(outcome.verdicts, [Verdict::Proceed]);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_plan_stops_the_deployment_and_names_the_place() {
    let engine = engine();
    let wrong = "version: 1\nchekcs: {}\n".to_owned();
    engine.state().parameters.insert("/greenlight/shop/orders".to_owned(), wrong);
    let outcome = invoke(pass, &engine).await;
    assert_eq!(outcome.verdicts, [Verdict::Stop]);
    let rows = outcome.rows();
    assert!(rows[0].starts_with("plan-is-readable failed: parameter /greenlight/shop/orders:2:1: "), "{rows:?}");
}

/// It has been generated by mistake, and is not even read.
#[tokio::test(start_paused = true)]
async fn a_plan_of_a_megabyte_is_refused_by_its_length() {
    let engine = engine();
    let plan = format!("version: 1\n{}", "# again\n".repeat(131_072));
    engine.state().parameters.insert("/greenlight/shop/orders".to_owned(), plan);
    let rows = invoke(pass, &engine).await.rows();
    let expected =
        "plan-is-readable failed: parameter /greenlight/shop/orders:1:1: the document has 1048587 bytes; at most";
    assert!(rows[0].starts_with(expected), "{rows:?}");
}

#[tokio::test(start_paused = true)]
async fn checks_that_cannot_be_made_from_the_plan_stop_the_deployment() {
    let outcome = invoke(refuse, &engine()).await;
    assert_eq!(outcome.verdicts, [Verdict::Stop]);
    assert_eq!(outcome.rows(), ["plan-is-readable failed: defaults: plan.yaml:3:5: `requests` is empty"]);
    let outcome = invoke(break_down, &engine()).await;
    assert_eq!(outcome.verdicts, [Verdict::Stop]);
    assert_eq!(outcome.rows(), ["plan-is-readable cannot_tell: no checks today"]);
}

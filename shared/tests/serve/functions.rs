//! The same hook when CodeDeploy deploys a Lambda function.

use greenlight::deployment::{Alias, FunctionDeployment};
use greenlight::fakes::function_deployment;

use super::*;

#[async_trait]
impl Check<FunctionDeployment> for Does {
    fn id(&self) -> &'static str {
        self.0
    }

    fn question(&self) -> String {
        format!("Does it {}?", self.0)
    }

    async fn ask(&self, context: &CheckContext<FunctionDeployment>) -> Result<Answer, CannotTell> {
        let target = &context.deployment.shift.target;
        match self.0 {
            "pass" => Ok(Answer::yes(format!("version {target} answers"))),
            _ => Ok(Answer::no(format!("version {target} does not answer"), "Mend it.")),
        }
    }
}

type MakeOfFunction = fn(&Plan) -> Result<Vec<Box<dyn Check<FunctionDeployment>>>, PlanError>;

fn passes(_: &Plan) -> Result<Vec<Box<dyn Check<FunctionDeployment>>>, PlanError> {
    Ok(vec![Box::new(Does("pass"))])
}

fn fails(_: &Plan) -> Result<Vec<Box<dyn Check<FunctionDeployment>>>, PlanError> {
    Ok(vec![Box::new(Does("fail"))])
}

async fn asked(
    stage: Stage,
    function: Option<MakeOfFunction>,
    deployment: FunctionDeployment,
    world: &Fakes,
) -> Outcome {
    let engine = FakeEngine::of_function(deployment);
    let service = Checks::none();
    let questions = match function {
        Some(function) => Questions::of_both(service, Checks::planned(function)),
        None => service.into(),
    };
    call_at(stage, questions, &engine, engine.outside(world), event()).await
}

fn led_to(version: &str, additional: &[(&str, f64)]) -> Fakes {
    let world = Fakes::well();
    let additional = additional.iter().map(|(version, percent)| ((*version).to_owned(), *percent)).collect();
    world.state().alias = Some(Alias { version: version.to_owned(), additional });
    world
}

#[tokio::test(start_paused = true)]
async fn its_checks_are_asked_and_its_alias_is_told() {
    for (checks, verdict, reason) in [
        (passes as MakeOfFunction, Verdict::Proceed, "1 check passed"),
        (fails, Verdict::Stop, "fail: version 42 does not answer"),
    ] {
        let outcome = asked(Stage::BeforeAllowTraffic, Some(checks), function_deployment(), &led_to("41", &[])).await;
        assert_eq!((outcome.verdicts.as_slice(), outcome.reason()), ([verdict].as_slice(), reason));
        assert_eq!(outcome.report()["service.name"], "orders:live");
        let word = if verdict == Verdict::Stop { "stays" } else { "is" };
        assert_eq!(outcome.report()["traffic"], format!("traffic of orders:live {word} on version 41"));
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_alias_cannot_be_read_codedeploys_word_is_told() {
    let deployment = FunctionDeployment { target_percent: Some(10.0), ..function_deployment() };
    let outcome = asked(Stage::BeforeAllowTraffic, Some(passes), deployment, &Fakes::well()).await;
    assert_eq!(outcome.verdicts, [Verdict::Proceed]);
    assert_eq!(outcome.report()["traffic"], "traffic of orders:live is 90 % to version 41 and 10 % to version 42");
}

#[tokio::test(start_paused = true)]
async fn a_rollback_of_either_kind_is_let_through() {
    let manual = Rollback::Manual { from: "orders:42".to_owned(), to: "orders:41".to_owned() };
    for rollback in [Rollback::Automatic { of: None }, manual] {
        let deployment = FunctionDeployment { rollback: Some(rollback), ..function_deployment() };
        let outcome = asked(Stage::BeforeAllowTraffic, Some(fails), deployment, &Fakes::well()).await;
        assert_eq!(outcome.verdicts, [Verdict::Proceed]);
        assert!(outcome.rows().is_empty());
    }
}

/// CodeDeploy refuses such an AppSpec; whoever calls the hook by hand gets a row.
#[tokio::test(start_paused = true)]
async fn a_stage_that_functions_do_not_have_is_a_clear_no() {
    let outcome = asked(Stage::AfterInstall, None, function_deployment(), &Fakes::well()).await;
    assert_eq!(outcome.verdicts, [Verdict::Stop]);
    assert_eq!(
        outcome.rows(),
        [
            "hook-is-wired-to-its-event failed: this function is made for AfterInstall, which the deployment of a Lambda \
          function (orders:live) does not have"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_hook_called_at_the_other_event_asks_nothing() {
    let events_in_progress = vec!["AfterAllowTraffic".to_owned()];
    let deployment = FunctionDeployment { events_in_progress, ..function_deployment() };
    let outcome = asked(Stage::BeforeAllowTraffic, Some(passes), deployment, &Fakes::well()).await;
    assert_eq!(outcome.verdicts, [Verdict::Stop]);
    assert_eq!(
        outcome.rows(),
        ["hook-is-wired-to-its-event failed: CodeDeploy is at AfterAllowTraffic; this function is made for \
          BeforeAllowTraffic"]
    );
}

//! `green-answers`

use async_trait::async_trait;

use super::proof::Proof;
use super::words::{group, port, without_test_listener};
use super::{green, route};
use crate::check::{Answer, CannotTell, Check, CheckContext};
use crate::deployment::AnyDeployment as _;
use crate::plan::Plan;

/// The test listener leads to green, production does not, and green answers there.
pub struct GreenAnswers {
    proof: Proof,
}

impl GreenAnswers {
    /// Knows green by the plan's `test_traffic.green`, else by where the load balancer's rules lead.
    pub fn from_plan(plan: &Plan) -> Self {
        Self { proof: Proof::from_plan(plan) }
    }
}

#[async_trait]
impl Check for GreenAnswers {
    fn id(&self) -> &'static str {
        "green-answers"
    }

    fn question(&self) -> String {
        "Does green, and not blue, answer on the test listener?".to_owned()
    }

    async fn ask(&self, context: &CheckContext) -> Result<Answer, CannotTell> {
        let deployment = &context.deployment;
        let Some(test) = &deployment.test else {
            let or = deployment.terms().leave_hook_out;
            return Ok(without_test_listener(deployment, "green cannot be asked", or));
        };
        let green = green::known(context)?;
        let (test, production) =
            tokio::try_join!(route::now(context, test), route::now(context, &deployment.production),)?;
        let pair = route::pair(deployment);
        let name = group(&green.target_group_arn);
        if route::leads_to(&production, &green.target_group_arn) {
            return Ok(Answer::no(
                format!(
                    "the production listener {} sends {} already",
                    port(&production),
                    route::shares(&production, &pair)
                ),
                format!("Find out who changed the production listener; users reach {name} before it was tested."),
            ));
        }
        let sends = format!("the test listener {} sends {}", port(&test), route::shares(&test, &pair));
        if !route::leads_only_to(&test, &pair, &green.target_group_arn) {
            let remedy = format!("Point every rule of the test listener for this service wholly at {name}.");
            return Ok(self.proof.not_yet(format!("{sends}, expected all to {name}"), remedy));
        }
        self.proof.ask(context, &test, &sends).await
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::GreenAnswers;
    use crate::checks::told::told;
    use crate::deployment::Deployment;
    use crate::fakes::{BLUE_GROUP, Fakes, GREEN_GROUP, answer, deployment, forward};
    use crate::plan::Plan;
    use crate::ports::ProbeResponse;
    use crate::stage::Stage;

    const MARKED: &str =
        "version: 1\ntest_traffic: { green: { header: X-Version, equals: \"${task_definition_revision}\" } }\n";

    fn says(version: &str) -> ProbeResponse {
        let mut response = answer(200, "ok");
        response.headers.push(("x-version".to_owned(), version.to_owned()));
        response
    }

    /// The last of five looks.
    async fn row(fakes: &Fakes, plan: &str) -> String {
        let check = GreenAnswers::from_plan(&Plan::parse(plan, "plan.yaml").expect("a plan"));
        let context = fakes.context(Stage::AfterAllowTestTraffic);
        for _ in 0..4 {
            let row = told(&check, &context).await;
            if !row.starts_with("NOT YET (again in 1000 ms)") {
                return row;
            }
        }
        told(&check, &context).await
    }

    #[tokio::test]
    async fn passes_by_the_rules_alone_without_a_plan() {
        let fakes = Fakes::well();
        fakes.reply("/health", [Ok(answer(200, "ok"))]);
        assert_snapshot!(row(&fakes, "version: 1").await, @"
        PASSED
          the test listener HTTP :9001 sends 100 % to tg-green, and GET /health was answered with 200
        ");
    }

    #[tokio::test]
    async fn passes_when_the_answer_bears_greens_mark() {
        let fakes = Fakes::well();
        fakes.reply("/health", [Ok(says("42"))]);
        assert_snapshot!(row(&fakes, MARKED).await, @"
        PASSED
          the test listener HTTP :9001 sends 100 % to tg-green, and GET /health was answered with header x-version 42
        ");
        fakes.reply("/version", [Ok(answer(200, r#"{"build": {"revision": 42}}"#))]);
        let json = "version: 1\ntest_traffic: { green: { get: /version, json: $.build.revision, \
                    equals: \"${task_definition_revision}\" } }\n";
        assert_snapshot!(row(&fakes, json).await, @"
        PASSED
          the test listener HTTP :9001 sends 100 % to tg-green, and GET /version was answered with $.build.revision 42
        ");
    }

    /// An image knows its tag, a revision is numbered only when it is registered.
    #[tokio::test]
    async fn passes_when_the_answer_bears_the_tag_of_greens_image() {
        let fakes = Fakes::well();
        fakes.state().task_definitions[1].containers[0].image = "registry:5000/orders:9f2c41d".to_owned();
        fakes.reply("/health", [Ok(says("9f2c41d"))]);
        let tagged = MARKED.replace("task_definition_revision", "image_tag");
        assert_snapshot!(row(&fakes, &tagged).await, @"
        PASSED
          the test listener HTTP :9001 sends 100 % to tg-green, and GET /health was answered with header x-version 9f2c41d
        ");
    }

    /// A change of the listener takes seconds to reach every node of the load balancer.
    #[tokio::test]
    async fn passes_when_blue_answers_first_and_then_green() {
        let fakes = Fakes::well();
        fakes.reply("/health", [Ok(says("41")), Ok(says("41")), Ok(says("42"))]);
        assert!(row(&fakes, MARKED).await.starts_with("PASSED"));
    }

    #[tokio::test]
    async fn fails_when_blue_goes_on_answering() {
        let fakes = Fakes::well();
        fakes.reply("/health", [Ok(says("41"))]);
        assert_snapshot!(row(&fakes, MARKED).await, @"
        FAILED
          the test listener HTTP :9001 sends 100 % to tg-green, but GET /health was answered with header x-version 41, expected 42, 5 looks in a row
          do: Find out which version answers: blue, or a green that reports another version than the plan expects.
        ");
    }

    #[tokio::test]
    async fn fails_when_the_mark_is_missing() {
        let fakes = Fakes::well();
        fakes.reply("/health", [Ok(answer(200, "ok"))]);
        assert_snapshot!(row(&fakes, MARKED).await, @r#"
        FAILED
          the test listener HTTP :9001 sends 100 % to tg-green, but GET /health was answered with 200 without header x-version: "ok", expected 42, 5 looks in a row
          do: Find out which version answers: blue, or a green that reports another version than the plan expects.
        "#);
    }

    #[tokio::test]
    async fn fails_when_the_test_listener_leads_to_blue() {
        let fakes = Fakes::well();
        fakes.state().listeners[1].rules = vec![forward(&[(BLUE_GROUP, 100)])];
        assert_snapshot!(row(&fakes, "version: 1").await, @"
        FAILED
          the test listener HTTP :9001 sends 100 % to tg-blue, expected all to tg-green, 5 looks in a row
          do: Point every rule of the test listener for this service wholly at tg-green.
        ");
    }

    #[tokio::test]
    async fn fails_when_production_leads_to_green_too() {
        let fakes = Fakes::well();
        fakes.state().listeners[0].rules = vec![forward(&[(BLUE_GROUP, 90), (GREEN_GROUP, 10)])];
        assert_snapshot!(row(&fakes, "version: 1").await, @"
        FAILED
          the production listener HTTP :80 sends 90 % to tg-blue and 10 % to tg-green already
          do: Find out who changed the production listener; users reach tg-green before it was tested.
        ");
    }

    #[tokio::test]
    async fn fails_when_only_the_load_balancer_answers() {
        let fakes = Fakes::well();
        let mut response = answer(503, "<html>503 Service Temporarily Unavailable</html>");
        response.headers.push(("server".to_owned(), "awselb/2.0".to_owned()));
        fakes.reply("/health", [Ok(response)]);
        assert_snapshot!(row(&fakes, "version: 1").await, @"
        FAILED
          the load balancer itself answered GET /health with 503: no target could take the request, 5 looks in a row
          do: Look at the health of green's targets, and in green's log for exits and slow requests.
        ");
    }

    #[tokio::test]
    async fn fails_without_a_test_listener() {
        let check = GreenAnswers::from_plan(&Plan::defaults());
        let none = Deployment { test: None, ..deployment() };
        let context = Fakes::well().context_of(Stage::AfterAllowTestTraffic, none);
        assert_snapshot!(told(&check, &context).await, @"
        FAILED
          group orders has no test listener: green cannot be asked before users reach it
          do: Give the deployment group a test listener, or take this hook out of the AppSpec.
        ");
    }

    #[tokio::test]
    async fn cannot_tell_when_nothing_listens() {
        assert_snapshot!(row(&Fakes::well(), "version: 1").await, @"
        CANNOT TELL
          GET /health: nothing listens on port 9001 of the load balancer (connection refused), 5 looks in a row
          do: Check that the listener on port 9001 exists; attach the function to the load balancer's VPC and allow port 9001 in its security group.
        ");
    }

    #[tokio::test]
    async fn cannot_tell_when_the_rules_cannot_be_read() {
        let fakes = Fakes::well();
        fakes.state().unreachable = Some(true);
        assert_snapshot!(row(&fakes, "version: 1").await, @"
        CANNOT TELL
          listener arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/shop/aaaaaaaaaaaaaaaa/4444444444444444: the call was refused
          do: Allow the call in the function's role.
        ");
    }
}

//! `production-serves-green`

use async_trait::async_trait;

use super::proof::Proof;
use super::words::{group, port};
use super::{green, route};
use crate::check::{Answer, CannotTell, Check, CheckContext};
use crate::deployment::AnyDeployment as _;
use crate::plan::Plan;

/// Every user is on green, and green answers them.
pub struct ProductionServesGreen {
    proof: Proof,
}

impl ProductionServesGreen {
    /// Knows green by the plan's `test_traffic.green`, else by where the load balancer's rules lead.
    pub fn from_plan(plan: &Plan) -> Self {
        Self { proof: Proof::from_plan(plan) }
    }
}

#[async_trait]
impl Check for ProductionServesGreen {
    fn id(&self) -> &'static str {
        "production-serves-green"
    }

    fn question(&self) -> String {
        "Does the production listener lead wholly to green, and does green answer there?".to_owned()
    }

    async fn ask(&self, context: &CheckContext) -> Result<Answer, CannotTell> {
        let deployment = &context.deployment;
        let green = green::known(context)?;
        let production = route::now(context, &deployment.production).await?;
        let pair = route::pair(deployment);
        let name = group(&green.target_group_arn);
        let sends =
            format!("the production listener {} sends {}", port(&production), route::shares(&production, &pair));
        if deployment.is_stepping() && route::leads_to(&production, &green.target_group_arn) {
            return Ok(Answer::yes(format!("{sends}, until the next step")));
        }
        if !route::leads_only_to(&production, &pair, &green.target_group_arn) {
            let remedy = format!("Find out who else changes the production listener; it must lead wholly to {name}.");
            return Ok(self.proof.not_yet(format!("{sends}, expected all to {name}"), remedy));
        }
        self.proof.ask(context, &production, &sends).await
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::ProductionServesGreen;
    use crate::checks::told::told;
    use crate::fakes::{BLUE_GROUP, Fakes, GREEN_GROUP, answer, forward};
    use crate::plan::Plan;
    use crate::stage::Stage;

    fn shifted(weights: &[(&str, u32)]) -> Fakes {
        let fakes = Fakes::well();
        fakes.state().listeners[0].rules = vec![forward(weights)];
        fakes
    }

    async fn row(fakes: &Fakes, looks: usize) -> String {
        let check = ProductionServesGreen::from_plan(&Plan::defaults());
        let context = fakes.context(Stage::AfterAllowTraffic);
        for _ in 1..looks {
            told(&check, &context).await;
        }
        told(&check, &context).await
    }

    #[tokio::test]
    async fn passes_when_production_is_wholly_on_green_and_answers() {
        let fakes = shifted(&[(BLUE_GROUP, 0), (GREEN_GROUP, 100)]);
        fakes.reply("/health", [Ok(answer(200, "ok"))]);
        assert_snapshot!(row(&fakes, 1).await, @"
        PASSED
          the production listener HTTP :80 sends 100 % to tg-green, and GET /health was answered with 200
        ");
    }

    #[tokio::test]
    async fn fails_when_production_stays_split() {
        let fakes = shifted(&[(BLUE_GROUP, 90), (GREEN_GROUP, 10)]);
        let first = row(&fakes, 1).await;
        let last = row(&fakes, 5).await;
        assert_snapshot!(format!("{first}\n{last}"), @"
        NOT YET (again in 1000 ms)
          the production listener HTTP :80 sends 90 % to tg-blue and 10 % to tg-green, expected all to tg-green
          do: Find out who else changes the production listener; it must lead wholly to tg-green.
        FAILED
          the production listener HTTP :80 sends 90 % to tg-blue and 10 % to tg-green, expected all to tg-green, 5 looks in a row
          do: Find out who else changes the production listener; it must lead wholly to tg-green.
        ");
    }

    #[tokio::test]
    async fn fails_when_nobody_answers_in_time() {
        let fakes = shifted(&[(GREEN_GROUP, 100)]);
        let broken = crate::ports::ProbeError { reason: "no answer within 10 s".to_owned(), refused: false };
        fakes.reply("/health", [Err(broken)]);
        assert_snapshot!(row(&fakes, 5).await, @"
        FAILED
          GET /health got no answer: no answer within 10 s, 5 looks in a row
          do: Look in green's log for this request; check that the listener on port 80 exists; attach the function to the load balancer's VPC and allow port 80 in its security group.
        ");
    }

    #[tokio::test]
    async fn cannot_tell_when_nothing_listens_or_nobody_knows_the_rules() {
        let fakes = shifted(&[(GREEN_GROUP, 100)]);
        let refused = row(&fakes, 5).await;
        fakes.state().unreachable = Some(false);
        let unknown = row(&fakes, 1).await;
        assert_snapshot!(format!("{refused}\n{unknown}"), @"
        CANNOT TELL
          GET /health: nothing listens on port 80 of the load balancer (connection refused), 5 looks in a row
          do: Check that the listener on port 80 exists; attach the function to the load balancer's VPC and allow port 80 in its security group.
        CANNOT TELL
          listener arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/shop/aaaaaaaaaaaaaaaa/3333333333333333: the call was refused
          do: Allow the call in the function's role.
        ");
    }
}

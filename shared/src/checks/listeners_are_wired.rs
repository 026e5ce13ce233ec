//! `listeners-are-wired`

use async_trait::async_trait;

use super::route;
use super::words::{cannot_tell, group, port};
use crate::check::{Answer, CannotTell, Check, CheckContext};
use crate::deployment::{AnyDeployment as _, Deployment, Listener};

/// Before anything moves, production is wholly on blue and no listener mixes this service with another.
pub struct ListenersAreWired;

#[async_trait]
impl Check for ListenersAreWired {
    fn id(&self) -> &'static str {
        "listeners-are-wired"
    }

    fn question(&self) -> String {
        "Do the listeners lead to this deployment's two target groups and nowhere else, with production wholly on blue?"
            .to_owned()
    }

    async fn ask(&self, context: &CheckContext) -> Result<Answer, CannotTell> {
        let deployment = &context.deployment;
        let blue = deployment.blue.as_ref().filter(|blue| !blue.target_group_arn.is_empty());
        if blue.is_none() && !deployment.is_first() {
            let (name, terms) = (&deployment.service.name, deployment.terms());
            let asked = format!("which target group serves {name}: it has no {} in production", terms.side);
            return Err(cannot_tell(asked, terms.look_at_sides));
        }
        let pair = route::pair(deployment);
        let production = &deployment.production;
        if let Some(test) = &deployment.test
            && (&test.arn, &test.rule) == (&production.arn, &production.rule)
        {
            let terms = deployment.terms();
            return Ok(Answer::no(
                format!("production and test traffic use the same {}, {}", terms.route, port(production)),
                format!("{} of its own.", terms.get_test_listener),
            ));
        }
        if let Some(no) = not_this_pair_only(deployment, production, "production", &pair) {
            return Ok(no);
        }
        if let Some(no) = deployment.test.as_ref().and_then(|test| not_this_pair_only(deployment, test, "test", &pair))
        {
            return Ok(no);
        }
        let Some(blue) = blue else {
            let seen = format!("production {} and test traffic lead to the pair; the service is new", port(production));
            return Ok(Answer::yes(seen));
        };
        if !route::leads_only_to(production, &pair, &blue.target_group_arn) {
            let (port, shares, blue) =
                (port(production), route::shares(production, &pair), group(&blue.target_group_arn));
            return Ok(Answer::no(
                format!("the production listener {port} sends {shares}; blue's group is {blue}"),
                format!(
                    "Point the production listener wholly at {blue}; probably an earlier deployment was stopped half-way."
                ),
            ));
        }
        Ok(Answer::yes(wired(deployment, group(&blue.target_group_arn))))
    }
}

fn wired(deployment: &Deployment, blue: &str) -> String {
    let production = port(&deployment.production);
    match &deployment.test {
        Some(test) => format!("production {production} leads wholly to {blue}, test {} to the pair", port(test)),
        None => format!(
            "production {production} leads wholly to {blue}; there is no test listener, so nobody asks green before users do"
        ),
    }
}

/// A rule of this listener leads to the pair, and no such rule leads to anybody else.
fn not_this_pair_only(deployment: &Deployment, listener: &Listener, role: &str, pair: &[&str]) -> Option<Answer> {
    let terms = deployment.terms();
    let rules = route::rules(listener, pair);
    let port = port(listener);
    if rules.is_empty() {
        let names: Vec<String> = pair.iter().map(|arn| group(arn).to_owned()).collect();
        return Some(Answer::no(
            format!("no rule of the {role} listener {port} forwards to {}", names.join(" or ")),
            format!(
                "Point the {role} listener at one of the target groups of {}, or name the right {}.",
                terms.settings, terms.route
            ),
        ));
    }
    let foreign = rules.iter().flat_map(|(_, groups)| *groups).find(|(arn, _)| !pair.contains(&arn.as_str()))?;
    Some(Answer::no(
        format!("a rule of the {role} listener {port} mixes this service with {}", group(&foreign.0)),
        format!("Remove {} from that rule; {} shifts the rule as a whole.", group(&foreign.0), terms.mover),
    ))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::ListenersAreWired;
    use crate::checks::told::told;
    use crate::deployment::Deployment;
    use crate::fakes::{BLUE_GROUP, Fakes, GREEN_GROUP, deployment, forward};
    use crate::stage::Stage;

    const FOREIGN: &str = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/tg-pay/9";

    async fn row(change: impl FnOnce(&mut Deployment)) -> String {
        let mut deployment = Deployment { green: None, ..deployment() };
        change(&mut deployment);
        told(&ListenersAreWired, &Fakes::well().context_of(Stage::BeforeInstall, deployment)).await
    }

    #[tokio::test]
    async fn passes_when_production_is_on_blue_and_the_test_listener_on_either() {
        assert_snapshot!(row(|_| {}).await, @"
        PASSED
          production HTTP :80 leads wholly to tg-blue, test HTTP :9001 to the pair
        ");
        let on_blue = row(|deployment| {
            deployment.test.as_mut().expect("a test listener").rules = vec![forward(&[(BLUE_GROUP, 1)])];
        });
        assert!(on_blue.await.starts_with("PASSED"));
    }

    #[tokio::test]
    async fn passes_without_a_test_listener_and_says_so() {
        assert_snapshot!(row(|deployment| deployment.test = None).await, @"
        PASSED
          production HTTP :80 leads wholly to tg-blue; there is no test listener, so nobody asks green before users do
        ");
    }

    #[tokio::test]
    async fn fails_when_production_is_split_before_the_deployment_begins() {
        let split = |deployment: &mut Deployment| {
            deployment.production.rules = vec![forward(&[(BLUE_GROUP, 90), (GREEN_GROUP, 10)])];
        };
        assert_snapshot!(row(split).await, @"
        FAILED
          the production listener HTTP :80 sends 90 % to tg-blue and 10 % to tg-green; blue's group is tg-blue
          do: Point the production listener wholly at tg-blue; probably an earlier deployment was stopped half-way.
        ");
    }

    #[tokio::test]
    async fn fails_when_a_listener_leads_elsewhere() {
        let elsewhere = |deployment: &mut Deployment| {
            deployment.test.as_mut().expect("a test listener").rules = vec![forward(&[(FOREIGN, 1)])];
        };
        assert_snapshot!(row(elsewhere).await, @"
        FAILED
          no rule of the test listener HTTP :9001 forwards to tg-blue or tg-green
          do: Point the test listener at one of the target groups of the deployment group, or name the right listener.
        ");
    }

    #[tokio::test]
    async fn fails_when_a_rule_mixes_in_another_service() {
        let mixed = |deployment: &mut Deployment| {
            deployment.production.rules = vec![forward(&[(BLUE_GROUP, 1), (FOREIGN, 0)])];
        };
        assert_snapshot!(row(mixed).await, @"
        FAILED
          a rule of the production listener HTTP :80 mixes this service with tg-pay
          do: Remove tg-pay from that rule; CodeDeploy shifts the rule as a whole.
        ");
    }

    #[tokio::test]
    async fn fails_when_both_listeners_are_one() {
        assert_snapshot!(row(|deployment| deployment.test = Some(deployment.production.clone())).await, @"
        FAILED
          production and test traffic use the same listener, HTTP :80
          do: Give the deployment group a test listener of its own.
        ");
    }

    #[tokio::test]
    async fn cannot_tell_without_a_primary_task_set() {
        assert_snapshot!(row(|deployment| deployment.blue = None).await, @"
        CANNOT TELL
          which target group serves orders: it has no task set in production
          do: Look at the service's task sets in ECS; one of them must be PRIMARY.
        ");
    }
}

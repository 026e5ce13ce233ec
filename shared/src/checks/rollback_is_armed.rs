//! `rollback-is-armed`

use async_trait::async_trait;

use super::words::list;
use crate::check::{Answer, CannotTell, Check, CheckContext};
use crate::deployment::AnyDeployment;

/// The group goes back by itself when the deployment fails or an alarm stops it.
///
/// Advisory unless the plan says otherwise: a team may want to look before it goes back, and stopping its deployments
/// would make nothing safer.
pub struct RollbackIsArmed;

#[async_trait]
impl<D: AnyDeployment> Check<D> for RollbackIsArmed {
    fn id(&self) -> &'static str {
        "rollback-is-armed"
    }

    fn question(&self) -> String {
        "Does it roll back by itself when a deployment fails or an alarm fires?".to_owned()
    }

    async fn ask(&self, context: &CheckContext<D>) -> Result<Answer, CannotTell> {
        let (deployment, terms) = (&context.deployment, context.deployment.terms());
        let watches_alarms = deployment.alarms().enabled && !deployment.alarms().names.is_empty();
        let mut wanted = vec![terms.on_failure];
        wanted.extend(watches_alarms.then_some(terms.on_alarm));
        let armed = deployment.auto_rollback();
        let has = |event: &str| armed.enabled && armed.events.iter().any(|armed| armed == event);
        let missing: Vec<String> = wanted.iter().filter(|event| !has(event)).map(|event| (*event).to_owned()).collect();
        if missing.is_empty() {
            let wanted: Vec<String> = wanted.iter().map(|event| (*event).to_owned()).collect();
            return Ok(Answer::yes(format!("automatic rollback is on for {}", list(&wanted))));
        }
        let state = if armed.enabled { "lacks" } else { "is off, so it lacks" };
        Ok(Answer::no(
            format!(
                "automatic rollback of {} {state} {}: after a failure nothing moves back by itself",
                deployment.settings_of(),
                list(&missing)
            ),
            format!("Enable automatic rollback of {} for {}.", terms.settings, list(&missing)),
        ))
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::RollbackIsArmed;
    use crate::checks::told::told;
    use crate::deployment::{AlarmConfiguration, AutoRollback, Deployment};
    use crate::fakes::{Fakes, deployment};
    use crate::stage::Stage;

    async fn row(deployment: Deployment) -> String {
        told(&RollbackIsArmed, &Fakes::well().context_of(Stage::BeforeInstall, deployment)).await
    }

    #[tokio::test]
    async fn passes_when_failure_and_alarm_roll_back() {
        assert_snapshot!(row(deployment()).await, @"
        PASSED
          automatic rollback is on for DEPLOYMENT_FAILURE and DEPLOYMENT_STOP_ON_ALARM
        ");
    }

    #[tokio::test]
    async fn fails_when_it_is_off() {
        assert_snapshot!(row(Deployment { auto_rollback: AutoRollback::default(), ..deployment() }).await, @"
        FAILED
          automatic rollback of group orders is off, so it lacks DEPLOYMENT_FAILURE and DEPLOYMENT_STOP_ON_ALARM: after a failure nothing moves back by itself
          do: Enable automatic rollback of the deployment group for DEPLOYMENT_FAILURE and DEPLOYMENT_STOP_ON_ALARM.
        ");
    }

    #[tokio::test]
    async fn fails_when_a_firing_alarm_would_not_roll_back() {
        let only_failure = AutoRollback { enabled: true, events: vec!["DEPLOYMENT_FAILURE".to_owned()] };
        assert_snapshot!(row(Deployment { auto_rollback: only_failure.clone(), ..deployment() }).await, @"
        FAILED
          automatic rollback of group orders lacks DEPLOYMENT_STOP_ON_ALARM: after a failure nothing moves back by itself
          do: Enable automatic rollback of the deployment group for DEPLOYMENT_STOP_ON_ALARM.
        ");
        let without_alarms =
            Deployment { auto_rollback: only_failure, alarms: AlarmConfiguration::default(), ..deployment() };
        assert!(row(without_alarms).await.starts_with("PASSED"));
    }
}

//! `alarms-are-quiet`

use async_trait::async_trait;

use super::alarms::{Reading, read};
use super::proceed::parameter;
use super::words::count;
use crate::check::{Answer, CannotTell, Check, CheckContext};
use crate::deployment::AnyDeployment;

/// No alarm of the deployment group fires before anything moves: CodeDeploy would roll back the deployment at once.
pub struct AlarmsAreQuiet;

#[async_trait]
impl<D: AnyDeployment> Check<D> for AlarmsAreQuiet {
    fn id(&self) -> &'static str {
        "alarms-are-quiet"
    }

    fn question(&self) -> String {
        "Does every alarm that can stop the deployment exist, and does none of them fire?".to_owned()
    }

    async fn ask(&self, context: &CheckContext<D>) -> Result<Answer, CannotTell> {
        Ok(match read(context).await? {
            Reading::NoneWatched(why) => Answer::yes(why),
            Reading::Missing(no) => no,
            Reading::Firing(seen) => Answer::no(seen, remedy(context)),
            Reading::Quiet { allowed: Some(by), .. } => Answer::yes(by),
            Reading::Quiet { alarms, without_data: 0, .. } => {
                Answer::yes(format!("{} watched, none fires", count(alarms.len(), "alarm")))
            }
            Reading::Quiet { alarms, without_data, .. } => Answer::yes(format!(
                "{} watched, none fires; {without_data} without data (INSUFFICIENT_DATA), which stops nothing",
                count(alarms.len(), "alarm")
            )),
        })
    }
}

/// The deployment may be the fix of the very outage.
fn remedy<D: AnyDeployment>(context: &CheckContext<D>) -> String {
    let otherwise = parameter(context.deployment.as_ref()).map_or_else(
        || "deploy with an alarm override".to_owned(),
        |name| format!("write the parameter {name}, as the page says"),
    );
    format!("End what makes it fire; if this deployment does, {otherwise}.")
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::AlarmsAreQuiet;
    use crate::checks::alarms::alarm;
    use crate::checks::told::told;
    use crate::deployment::AlarmConfiguration;
    use crate::fakes::{Fakes, deployment};
    use crate::stage::Stage;

    async fn row(states: [&str; 2]) -> String {
        let fakes = Fakes::well();
        fakes.state().alarms = vec![alarm("orders-5xx", states[0]), alarm("orders-unhealthy-hosts", states[1])];
        told(&AlarmsAreQuiet, &fakes.context(Stage::BeforeInstall)).await
    }

    #[tokio::test]
    async fn passes_when_all_are_ok() {
        assert_snapshot!(row(["OK", "OK"]).await, @"
        PASSED
          2 alarms watched, none fires
        ");
    }

    /// A service at night has no data; CodeDeploy looks only for ALARM.
    #[tokio::test]
    async fn passes_without_data_and_says_so() {
        assert_snapshot!(row(["OK", "INSUFFICIENT_DATA"]).await, @"
        PASSED
          2 alarms watched, none fires; 1 without data (INSUFFICIENT_DATA), which stops nothing
        ");
    }

    #[tokio::test]
    async fn fails_when_one_fires() {
        assert_snapshot!(row(["ALARM", "OK"]).await, @"
        FAILED
          orders-5xx has been in ALARM since 2026-11-21T12:00:00Z: Threshold Crossed: 1 datapoint [7.0] was greater than the threshold (5.0).
          do: End what makes it fire; if this deployment does, write the parameter /greenlight/shop/orders/proceed, as the page says.
        ");
    }

    /// The fix of the very outage.
    #[tokio::test]
    async fn passes_when_somebody_lets_it_go_on_and_says_who_and_what_fires() {
        let fakes = Fakes::well();
        fakes.state().alarms = vec![alarm("orders-5xx", "ALARM"), alarm("orders-unhealthy-hosts", "OK")];
        let leave = "{ alarms: [orders-5xx], until: 2026-11-21T18:00:00Z, reason: the fix of INC-7 }";
        fakes.state().parameters.insert("/greenlight/shop/orders/proceed".to_owned(), leave.to_owned());
        assert_snapshot!(told(&AlarmsAreQuiet, &fakes.context(Stage::BeforeInstall)).await, @r#"
        PASSED
          parameter /greenlight/shop/orders/proceed lets it go on until 2026-11-21T18:00:00Z: "the fix of INC-7"; CodeDeploy still watches, and orders-5xx has been in ALARM since 2026-11-21T12:00:00Z: Threshold Crossed: 1 datapoint [7.0] was greater than the threshold (5.0).
        "#);
        fakes.state().alarms[1].state = "ALARM".to_owned();
        assert_snapshot!(told(&AlarmsAreQuiet, &fakes.context(Stage::BeforeInstall)).await, @"
        FAILED
          orders-5xx has been in ALARM since 2026-11-21T12:00:00Z: Threshold Crossed: 1 datapoint [7.0] was greater than the threshold (5.0).; orders-unhealthy-hosts has been in ALARM since 2026-11-21T12:00:00Z: Threshold Crossed: 1 datapoint [7.0] was greater than the threshold (5.0).; parameter /greenlight/shop/orders/proceed does not count: it does not name orders-unhealthy-hosts
          do: End what makes it fire; if this deployment does, write the parameter /greenlight/shop/orders/proceed, as the page says.
        ");
    }

    #[tokio::test]
    async fn fails_when_one_does_not_exist() {
        let fakes = Fakes::well();
        fakes.state().alarms = vec![alarm("orders-5xx", "OK")];
        assert_snapshot!(told(&AlarmsAreQuiet, &fakes.context(Stage::BeforeInstall)).await, @"
        FAILED
          CloudWatch has no alarm orders-unhealthy-hosts, which the deployment group watches
          do: Create the alarm, or take its name out of the deployment group.
        ");
    }

    #[tokio::test]
    async fn passes_when_none_is_configured_and_says_so() {
        let mut deployment = deployment();
        deployment.alarms = AlarmConfiguration::default();
        let context = Fakes::well().context_of(Stage::BeforeInstall, deployment.clone());
        assert_snapshot!(told(&AlarmsAreQuiet, &context).await, @"
        PASSED
          no alarm is configured, so none will stop this deployment
        ");
        deployment.alarms.names = vec!["orders-5xx".to_owned()];
        let context = Fakes::well().context_of(Stage::BeforeInstall, deployment);
        assert_snapshot!(told(&AlarmsAreQuiet, &context).await, @"
        PASSED
          1 alarm configured but switched off, so none will stop this deployment
        ");
    }

    #[tokio::test]
    async fn cannot_tell_when_cloudwatch_does_not_answer() {
        let fakes = Fakes::well();
        fakes.state().unreachable = Some(false);
        assert_snapshot!(told(&AlarmsAreQuiet, &fakes.context(Stage::BeforeInstall)).await, @"
        CANNOT TELL
          state of the alarms: the call was refused
          do: Allow the call in the function's role.
        ");
    }
}

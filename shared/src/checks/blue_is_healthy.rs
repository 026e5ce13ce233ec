//! `blue-is-healthy`

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::targets::Count;
use super::words::{cannot_tell, count, group};
use crate::check::{Answer, CannotTell, Check, CheckContext};
use crate::deployment::AnyDeployment as _;

/// Pause between two looks while blue replaces a task.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// What users are on now is well, so that there is something to go back to.
pub struct BlueIsHealthy;

#[async_trait]
impl Check for BlueIsHealthy {
    fn id(&self) -> &'static str {
        "blue-is-healthy"
    }

    fn question(&self) -> String {
        "Do as many of blue's tasks run and answer health checks as the service wants?".to_owned()
    }

    async fn ask(&self, context: &CheckContext) -> Result<Answer, CannotTell> {
        let deployment = &context.deployment;
        let service = &deployment.service;
        let no_blue = || {
            let terms = deployment.terms();
            let asked = format!("the tasks of blue: {} has no {} in production", service.name, terms.side);
            cannot_tell(asked, terms.look_at_sides)
        };
        if deployment.is_first() {
            return Ok(Answer::yes("there is no blue: the service is new"));
        }
        let known = deployment.blue.as_ref().ok_or_else(no_blue)?;
        let (sets, targets) = tokio::try_join!(
            context.ports.tasks().task_sets(&service.cluster, &service.name),
            context.ports.targets().health(&known.target_group_arn),
        )?;
        let blue = sets.into_iter().find(|set| set.id == known.id).ok_or_else(no_blue)?.in_group_of(known);
        let (version, name) = (blue.version(), group(&blue.target_group_arn));
        if blue.desired == 0 {
            return Ok(Answer::no(
                format!("blue ({version}) wants 0 tasks: nothing serves users now"),
                "Scale the service to at least one task, then deploy.",
            ));
        }
        let targets = Count::of(&targets);
        let seen = format!(
            "blue ({version}): {} of {} run, {} of {} targets in {name} healthy",
            blue.running,
            count(blue.desired as usize, "task"),
            targets.healthy,
            blue.desired
        );
        if let Some(unhealthy) = &targets.unhealthy {
            return Ok(Answer::no(
                format!("{seen}; {unhealthy}"),
                format!("Repair {version} first, or make this check advisory if this deployment is the repair."),
            ));
        }
        if blue.running < blue.desired || targets.healthy < blue.desired as usize {
            let remedy = format!("Find out in ECS why {version} does not keep its tasks.");
            return Ok(Answer::not_yet(seen, context.pause(LOOK_AGAIN), remedy));
        }
        Ok(Answer::yes(seen))
    }

    /// Every look begins anew.
    fn remember(&self) -> Option<Value> {
        Some(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::BlueIsHealthy;
    use crate::checks::told::told;
    use crate::fakes::{BLUE_GROUP, Fakes};
    use crate::stage::Stage;

    async fn row(fakes: &Fakes) -> String {
        told(&BlueIsHealthy, &fakes.context(Stage::BeforeInstall)).await
    }

    #[tokio::test]
    async fn passes_when_every_task_runs_and_is_healthy() {
        assert_snapshot!(row(&Fakes::well()).await, @"
        PASSED
          blue (orders:41): 2 of 2 tasks run, 2 of 2 targets in tg-blue healthy
        ");
    }

    #[tokio::test]
    async fn fails_when_a_target_is_unhealthy() {
        let fakes = Fakes::well();
        {
            let mut state = fakes.state();
            let target = &mut state.targets.get_mut(BLUE_GROUP).expect("blue's targets")[0];
            target.state = "unhealthy".to_owned();
            target.reason = Some("Target.ResponseCodeMismatch".to_owned());
            target.description = Some("Health checks failed with these codes: [500]".to_owned());
        }
        assert_snapshot!(row(&fakes).await, @"
        FAILED
          blue (orders:41): 2 of 2 tasks run, 1 of 2 targets in tg-blue healthy; 10.0.0.10:8080 is unhealthy: Health checks failed with these codes: [500] (Target.ResponseCodeMismatch)
          do: Repair orders:41 first, or make this check advisory if this deployment is the repair.
        ");
    }

    /// No target is unhealthy in an empty group, and none is healthy either.
    #[tokio::test]
    async fn waits_while_the_target_group_is_empty() {
        let fakes = Fakes::well();
        fakes.state().targets.clear();
        assert_snapshot!(row(&fakes).await, @"
        NOT YET (again in 2000 ms)
          blue (orders:41): 2 of 2 tasks run, 0 of 2 targets in tg-blue healthy
          do: Find out in ECS why orders:41 does not keep its tasks.
        ");
    }

    #[tokio::test]
    async fn fails_when_blue_wants_no_task() {
        let fakes = Fakes::well();
        {
            let mut state = fakes.state();
            state.task_sets[0].desired = 0;
            state.task_sets[0].running = 0;
        }
        assert_snapshot!(row(&fakes).await, @"
        FAILED
          blue (orders:41) wants 0 tasks: nothing serves users now
          do: Scale the service to at least one task, then deploy.
        ");
    }

    #[tokio::test]
    async fn waits_while_blue_replaces_a_task() {
        let fakes = Fakes::well();
        fakes.state().task_sets[0].running = 1;
        assert_snapshot!(row(&fakes).await, @"
        NOT YET (again in 2000 ms)
          blue (orders:41): 1 of 2 tasks run, 2 of 2 targets in tg-blue healthy
          do: Find out in ECS why orders:41 does not keep its tasks.
        ");
    }

    #[tokio::test]
    async fn cannot_tell_when_blue_is_gone_or_ecs_does_not_answer() {
        let fakes = Fakes::well();
        fakes.state().task_sets.remove(0);
        assert_snapshot!(row(&fakes).await, @"
        CANNOT TELL
          the tasks of blue: orders has no task set in production
          do: Look at the service's task sets in ECS; one of them must be PRIMARY.
        ");
        fakes.state().unreachable = Some(true);
        assert_snapshot!(row(&fakes).await, @"
        CANNOT TELL
          task sets of shop/orders: the call was refused
          do: Allow the call in the function's role.
        ");
    }
}

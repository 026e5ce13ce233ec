//! `green-runs-target-revision`

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::green;
use super::words::{count, list, version};
use crate::check::{Answer, CannotTell, Check, CheckContext};
use crate::deployment::{AnyDeployment as _, Terms};

/// Pause between two looks while green's first task starts.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Green's task set and every running task of it are the revision of the AppSpec.
pub struct GreenRunsTargetRevision;

#[async_trait]
impl Check for GreenRunsTargetRevision {
    fn id(&self) -> &'static str {
        "green-runs-target-revision"
    }

    fn question(&self) -> String {
        "Does green run the task definition that is deployed?".to_owned()
    }

    async fn ask(&self, context: &CheckContext) -> Result<Answer, CannotTell> {
        let Terms { side, source, .. } = context.deployment.terms();
        let wanted = version(&context.deployment.target_task_definition);
        let known = green::known(context)?;
        let (green, tasks) = green::with_tasks(context, known).await?;
        if green.version() != wanted {
            return Ok(Answer::no(
                format!("green's {side} {} is of {}, {source} names {wanted}", green.id, green.version()),
                "Deploy again; probably another deployment replaced green.",
            ));
        }
        let running: Vec<&str> = tasks
            .iter()
            .filter(|task| task.last_status == "RUNNING")
            .map(|task| version(&task.task_definition))
            .collect();
        let mut others: Vec<String> =
            running.iter().filter(|running| **running != wanted).map(|other| (*other).to_owned()).collect();
        others.sort_unstable();
        others.dedup();
        if !others.is_empty() {
            return Ok(Answer::no(
                format!("green's {side} {} runs tasks of {}, {source} names {wanted}", green.id, list(&others)),
                format!("Stop those tasks; ECS starts them anew from the {side}."),
            ));
        }
        if running.is_empty() {
            return Ok(Answer::not_yet(
                format!("green's {side} is of {wanted}; not all of its tasks run yet"),
                context.pause(LOOK_AGAIN),
                "Read the service's events in ECS: they say why no task starts.",
            ));
        }
        Ok(Answer::yes(format!("{} run {wanted}", count(running.len(), "task"))))
    }

    /// Every look begins anew.
    fn remember(&self) -> Option<Value> {
        Some(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::GreenRunsTargetRevision;
    use crate::checks::told::told;
    use crate::deployment::Deployment;
    use crate::fakes::{BLUE_TASK_DEFINITION, Fakes, deployment};
    use crate::stage::Stage;

    async fn row(fakes: &Fakes) -> String {
        told(&GreenRunsTargetRevision, &fakes.context(Stage::AfterInstall)).await
    }

    #[tokio::test]
    async fn passes_when_every_task_is_of_the_revision() {
        assert_snapshot!(row(&Fakes::well()).await, @"
        PASSED
          2 tasks run orders:42
        ");
    }

    #[tokio::test]
    async fn fails_when_the_task_set_is_of_another_revision() {
        let fakes = Fakes::well();
        fakes.state().task_sets[1].task_definition = BLUE_TASK_DEFINITION.to_owned();
        assert_snapshot!(row(&fakes).await, @"
        FAILED
          green's task set ecs-svc/2222 is of orders:41, the AppSpec names orders:42
          do: Deploy again; probably another deployment replaced green.
        ");
    }

    #[tokio::test]
    async fn fails_when_a_task_is_of_another_revision() {
        let fakes = Fakes::well();
        fakes.state().tasks.get_mut("ecs-svc/2222").expect("green's tasks")[0].task_definition =
            BLUE_TASK_DEFINITION.to_owned();
        assert_snapshot!(row(&fakes).await, @"
        FAILED
          green's task set ecs-svc/2222 runs tasks of orders:41, the AppSpec names orders:42
          do: Stop those tasks; ECS starts them anew from the task set.
        ");
    }

    #[tokio::test]
    async fn waits_while_no_task_runs() {
        let fakes = Fakes::well();
        fakes.state().tasks.clear();
        assert_snapshot!(row(&fakes).await, @"
        NOT YET (again in 2000 ms)
          green's task set is of orders:42; not all of its tasks run yet
          do: Read the service's events in ECS: they say why no task starts.
        ");
    }

    #[tokio::test]
    async fn cannot_tell_without_green() {
        let none = Fakes::well().context_of(Stage::AfterInstall, Deployment { green: None, ..deployment() });
        assert_snapshot!(told(&GreenRunsTargetRevision, &none).await, @"
        CANNOT TELL
          green: service orders has no task set of this deployment
          do: Look at the deployment in CodeDeploy: whether it has made green.
        ");
        let fakes = Fakes::well();
        fakes.state().task_sets.pop();
        assert_snapshot!(row(&fakes).await, @"
        CANNOT TELL
          green: its task set ecs-svc/2222 is gone from service orders
          do: Look in the service's events for who deleted the task set; then deploy again.
        ");
        fakes.state().unreachable = Some(true);
        assert_snapshot!(row(&fakes).await, @"
        CANNOT TELL
          task sets of shop/orders: the call was refused
          do: Allow the call in the function's role.
        ");
    }
}

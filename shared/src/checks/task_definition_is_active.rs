//! `task-definition-is-active`

use async_trait::async_trait;

use super::words::version;
use crate::check::{Answer, CannotTell, Check, CheckContext};
use crate::deployment::AnyDeployment as _;

/// The task definition that is being deployed exists and can be started.
pub struct TaskDefinitionIsActive;

#[async_trait]
impl Check for TaskDefinitionIsActive {
    fn id(&self) -> &'static str {
        "task-definition-is-active"
    }

    fn question(&self) -> String {
        "Does ECS know the task definition that is deployed, and is it active?".to_owned()
    }

    async fn ask(&self, context: &CheckContext) -> Result<Answer, CannotTell> {
        let arn = &context.deployment.target_task_definition;
        let name = version(arn);
        Ok(match context.ports.tasks().task_definition(arn).await? {
            Some(definition) if definition.active => Answer::yes(format!("{name} is active")),
            Some(_) => Answer::no(
                format!("{name} has been deregistered: it is not ACTIVE, and ECS will not start it"),
                format!("Register a new revision of {name} and deploy that."),
            ),
            None => Answer::no(
                format!("ECS has no task definition {arn}"),
                format!(
                    "Correct {}: account, Region, family and revision.",
                    context.deployment.terms().task_definition
                ),
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::TaskDefinitionIsActive;
    use crate::checks::told::told;
    use crate::fakes::Fakes;
    use crate::stage::Stage;

    async fn row(fakes: &Fakes) -> String {
        told(&TaskDefinitionIsActive, &fakes.context(Stage::BeforeInstall)).await
    }

    #[tokio::test]
    async fn passes_when_the_task_definition_is_active() {
        assert_snapshot!(row(&Fakes::well()).await, @"
        PASSED
          orders:42 is active
        ");
    }

    #[tokio::test]
    async fn fails_when_it_has_been_deregistered() {
        let fakes = Fakes::well();
        fakes.state().task_definitions[1].active = false;
        assert_snapshot!(row(&fakes).await, @"
        FAILED
          orders:42 has been deregistered: it is not ACTIVE, and ECS will not start it
          do: Register a new revision of orders:42 and deploy that.
        ");
    }

    #[tokio::test]
    async fn fails_when_there_is_none() {
        let fakes = Fakes::well();
        fakes.state().task_definitions.clear();
        assert_snapshot!(row(&fakes).await, @"
        FAILED
          ECS has no task definition arn:aws:ecs:eu-central-1:123456789012:task-definition/orders:42
          do: Correct TaskDefinition in the AppSpec: account, Region, family and revision.
        ");
    }

    #[tokio::test]
    async fn cannot_tell_when_ecs_does_not_answer() {
        let fakes = Fakes::well();
        fakes.state().unreachable = Some(false);
        assert_snapshot!(row(&fakes).await, @"
        CANNOT TELL
          task definition arn:aws:ecs:eu-central-1:123456789012:task-definition/orders:42: the call was refused
          do: Allow the call in the function's role.
        ");
    }
}

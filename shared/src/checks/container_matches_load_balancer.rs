//! `container-matches-load-balancer`

use async_trait::async_trait;

use super::words::{cannot_tell, list, version};
use crate::check::{Answer, CannotTell, Check, CheckContext};
use crate::deployment::AnyDeployment as _;
use crate::document::nearest;

/// The container and port of the AppSpec are in the task definition.
pub struct ContainerMatchesLoadBalancer;

#[async_trait]
impl Check for ContainerMatchesLoadBalancer {
    fn id(&self) -> &'static str {
        "container-matches-load-balancer"
    }

    fn question(&self) -> String {
        "Does the task definition have the container and the port that the load balancer is to talk to?".to_owned()
    }

    async fn ask(&self, context: &CheckContext) -> Result<Answer, CannotTell> {
        let (deployment, terms) = (&context.deployment, context.deployment.terms());
        let (wanted, port) = (&deployment.container_name, deployment.container_port);
        let name = version(&deployment.target_task_definition);
        let Some(definition) = context.ports.tasks().task_definition(&deployment.target_task_definition).await? else {
            let asked = format!("the containers of {name}: ECS has no such task definition");
            return Err(cannot_tell(asked, format!("Correct {}.", terms.task_definition)));
        };
        let Some(container) = definition.containers.iter().find(|container| container.name == *wanted) else {
            let names: Vec<String> = definition.containers.iter().map(|container| container.name.clone()).collect();
            let meant = nearest(wanted, names.iter().map(String::as_str)).unwrap_or("one of them");
            return Ok(Answer::no(
                format!("{name} has no container {wanted}; it has {}", list(&names)),
                format!("Set {} to {meant}, or rename the container.", terms.container_name),
            ));
        };
        if !container.ports.contains(&port) {
            let ports: Vec<String> = container.ports.iter().map(u16::to_string).collect();
            let maps = if ports.is_empty() { "no port at all".to_owned() } else { list(&ports) };
            return Ok(Answer::no(
                format!("container {wanted} of {name} does not map port {port}; it maps {maps}"),
                format!("Make {} and containerPort in the task definition the same.", terms.container_port),
            ));
        }
        Ok(Answer::yes(format!("{name} has container {wanted} with port {port}")))
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::ContainerMatchesLoadBalancer;
    use crate::checks::told::told;
    use crate::fakes::Fakes;
    use crate::stage::Stage;

    async fn row(fakes: &Fakes) -> String {
        told(&ContainerMatchesLoadBalancer, &fakes.context(Stage::BeforeInstall)).await
    }

    #[tokio::test]
    async fn passes_when_container_and_port_are_there() {
        assert_snapshot!(row(&Fakes::well()).await, @"
        PASSED
          orders:42 has container app with port 8080
        ");
    }

    #[tokio::test]
    async fn fails_when_the_container_has_another_name() {
        let fakes = Fakes::well();
        fakes.state().task_definitions[1].containers[0].name = "application".to_owned();
        assert_snapshot!(row(&fakes).await, @"
        FAILED
          orders:42 has no container app; it has application
          do: Set ContainerName in the AppSpec to application, or rename the container.
        ");
    }

    #[tokio::test]
    async fn fails_when_the_port_is_another_or_missing() {
        let fakes = Fakes::well();
        fakes.state().task_definitions[1].containers[0].ports = vec![80, 8443];
        assert_snapshot!(row(&fakes).await, @"
        FAILED
          container app of orders:42 does not map port 8080; it maps 80 and 8443
          do: Make ContainerPort in the AppSpec and containerPort in the task definition the same.
        ");
        fakes.state().task_definitions[1].containers[0].ports.clear();
        assert_snapshot!(row(&fakes).await, @"
        FAILED
          container app of orders:42 does not map port 8080; it maps no port at all
          do: Make ContainerPort in the AppSpec and containerPort in the task definition the same.
        ");
    }

    #[tokio::test]
    async fn cannot_tell_when_there_is_no_task_definition() {
        let fakes = Fakes::well();
        fakes.state().task_definitions.clear();
        assert_snapshot!(row(&fakes).await, @"
        CANNOT TELL
          the containers of orders:42: ECS has no such task definition
          do: Correct TaskDefinition in the AppSpec.
        ");
    }

    #[tokio::test]
    async fn cannot_tell_when_ecs_does_not_answer() {
        let fakes = Fakes::well();
        fakes.state().unreachable = Some(true);
        assert_snapshot!(row(&fakes).await, @"
        CANNOT TELL
          task definition arn:aws:ecs:eu-central-1:123456789012:task-definition/orders:42: the call was refused
          do: Allow the call in the function's role.
        ");
    }
}

//! Where the plan comes from. The first that is found wins: the Docker label of the version that is being deployed, a
//! parameter, the function's environment, the defaults. The report names which one it was. A Lambda function that is deployed
//! has no label.

use crate::check::CannotTell;
use crate::deployment::{AnyDeployment, Deployment, FunctionDeployment, family_and_revision};
use crate::document::Mistakes;
use crate::plan::Plan;
use crate::ports::{Parameters, TaskDefinition, Tasks};
use crate::report::words::one_line;

/// The Docker label of a container: questions that ship with the version they ask about.
pub const LABEL: &str = "greenlight.plan";

/// The function's variable: the plan of every service that has none of its own.
pub const VARIABLE: &str = "GREENLIGHT_PLAN";

/// A plan, and where it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The plan.
    pub plan: Plan,
    /// `parameter /greenlight/shop/orders`, `defaults`, …
    pub source: String,
}

/// Why there is no plan to go by.
#[derive(Debug, thiserror::Error)]
pub enum PlanLookupError {
    /// Nobody knows whether there is one.
    #[error(transparent)]
    Unanswered(#[from] CannotTell),
    /// There is one, and it is wrong.
    #[error("{}", .0.briefly())]
    Wrong(Mistakes),
    /// Two containers have different ones.
    #[error("containers {0} and {1} of {2} have different {LABEL} labels")]
    Contradiction(String, String, String),
}

/// Looks the plan up. Label and parameter are asked for side by side; the parameter counts only where there is no label.
pub async fn look_up(
    deployment: &Deployment,
    tasks: &dyn Tasks,
    parameters: &dyn Parameters,
    variable: Option<&str>,
) -> Result<Found, PlanLookupError> {
    let parameter = parameter(deployment, parameters);
    let (definition, parameter) = tokio::join!(tasks.task_definition(&deployment.target_task_definition), parameter);
    if let Some(definition) = definition?
        && let Some((container, text)) = label(&definition, &deployment.container_name)?
    {
        let source = format!("label {LABEL} of container {container} in {}", version(&definition));
        return parse(text, source);
    }
    from(parameter?, variable)
}

/// Looks up the plan of a function's deployment. There is no label: a version's environment variables hold its secrets, and
/// reading them all to find a plan would be too much to ask for; its tags are not the version's own, and too short.
pub async fn look_up_of_function(
    deployment: &FunctionDeployment,
    parameters: &dyn Parameters,
    variable: Option<&str>,
) -> Result<Found, PlanLookupError> {
    from(parameter(deployment, parameters).await?, variable)
}

/// The deployment group's parameter: its name and text.
async fn parameter(
    deployment: &impl AnyDeployment,
    parameters: &dyn Parameters,
) -> Result<Option<(String, String)>, CannotTell> {
    let (first, second) = deployment.names();
    match parameter_name(first, second) {
        Some(name) => Ok(parameters.parameter(&name).await?.map(|text| (name, text))),
        None => Ok(None),
    }
}

/// The parameter's plan, else the variable's, else the defaults.
fn from(parameter: Option<(String, String)>, variable: Option<&str>) -> Result<Found, PlanLookupError> {
    if let Some((name, text)) = parameter {
        return parse(&text, format!("parameter {name}"));
    }
    match variable {
        Some(text) => parse(text, format!("variable {VARIABLE}")),
        None => Ok(Found { plan: Plan::defaults(), source: "defaults".to_owned() }),
    }
}

fn parse(text: &str, source: String) -> Result<Found, PlanLookupError> {
    let plan = Plan::parse(text, &source).map_err(PlanLookupError::Wrong)?;
    Ok(Found { plan, source })
}

/// The label of the container that the load balancer talks to, else of whichever has one.
fn label<'a>(definition: &'a TaskDefinition, served: &str) -> Result<Option<(&'a str, &'a str)>, PlanLookupError> {
    let mut found: Option<(&str, &str)> = None;
    for container in &definition.containers {
        let Some(text) = container.labels.get(LABEL) else { continue };
        if container.name == served {
            return Ok(Some((&container.name, text)));
        }
        match found {
            Some((other, known)) if known != text => {
                let (one, two) = (one_line(other, 60), one_line(&container.name, 60));
                return Err(PlanLookupError::Contradiction(one, two, version(definition)));
            }
            Some(_) => {}
            None => found = Some((&container.name, text)),
        }
    }
    Ok(found)
}

fn version(definition: &TaskDefinition) -> String {
    family_and_revision(&definition.arn)
        .map_or_else(|| definition.arn.clone(), |(family, revision)| format!("{family}:{revision}"))
}

/// The parameter in which a deployment group's plan is kept.
///
/// `None` where the names have characters that no parameter's name can have: then there is none.
pub(crate) fn parameter_name(application: &str, group: &str) -> Option<String> {
    let fits = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    (fits(application) && fits(group)).then(|| format!("/greenlight/{application}/{group}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use async_trait::async_trait;
    use insta::assert_snapshot;

    use super::*;
    use crate::fakes::{Fakes, deployment, function_deployment};
    use crate::report::words::chain;

    struct Given(BTreeMap<&'static str, &'static str>);

    #[async_trait]
    impl Parameters for Given {
        async fn parameter(&self, name: &str) -> Result<Option<String>, CannotTell> {
            Ok(self.0.get(name).map(|text| (*text).to_owned()))
        }

        async fn existing(&self, _: Option<&str>, names: &[String]) -> Result<Vec<String>, CannotTell> {
            Ok(names.iter().filter(|name| self.0.contains_key(name.as_str())).cloned().collect())
        }
    }

    async fn found(labels: &[(&str, &str)], parameter: Option<&'static str>, variable: Option<&str>) -> String {
        let fakes = Fakes::well();
        for (container, text) in labels {
            let mut state = fakes.state();
            let green = &mut state.task_definitions[1];
            let mut labelled = green.containers[0].clone();
            labelled.name = (*container).to_owned();
            labelled.labels = BTreeMap::from([(LABEL.to_owned(), (*text).to_owned())]);
            green.containers.push(labelled);
        }
        let parameters = Given(parameter.map(|text| ("/greenlight/shop/orders", text)).into_iter().collect());
        match look_up(&deployment(), &fakes, &parameters, variable).await {
            Ok(found) => found.source,
            Err(error) => format!("error: {}", chain(&error)),
        }
    }

    const PLAN: &str = "version: 1";

    #[tokio::test]
    async fn the_label_wins_over_the_parameter_and_this_over_the_variable() {
        let label = found(&[("app", PLAN)], Some(PLAN), Some(PLAN)).await;
        assert_eq!(label, "label greenlight.plan of container app in orders:42");
        assert_eq!(found(&[], Some(PLAN), Some(PLAN)).await, "parameter /greenlight/shop/orders");
        assert_eq!(found(&[], None, Some(PLAN)).await, "variable GREENLIGHT_PLAN");
        assert_eq!(found(&[], None, None).await, "defaults");
    }

    #[tokio::test]
    async fn a_function_has_a_parameter_and_no_label() {
        let found = async |parameter: Option<&'static str>, variable| {
            let parameters = Given(parameter.map(|text| ("/greenlight/shop/orders", text)).into_iter().collect());
            look_up_of_function(&function_deployment(), &parameters, variable).await.expect("a plan").source
        };
        assert_eq!(found(Some(PLAN), Some(PLAN)).await, "parameter /greenlight/shop/orders");
        assert_eq!(found(None, Some(PLAN)).await, "variable GREENLIGHT_PLAN");
        assert_eq!(found(None, None).await, "defaults");
    }

    #[tokio::test]
    async fn a_wrong_plan_is_not_passed_over_for_the_next_one() {
        assert_snapshot!(found(&[("app", "version: 1\nwrong: 2")], Some(PLAN), None).await, @"
        error: label greenlight.plan of container app in orders:42:2:1: unknown key `wrong`; expected one of `version`, `database`, `before_install`, `secrets`, `test_traffic`, `migrations`, `production`, `function`, `checks`
           2 | wrong: 2
             | ^
        ");
    }

    #[tokio::test]
    async fn two_containers_with_different_plans_contradict_each_other() {
        let labels = [("one", PLAN), ("two", "version: 1\nchecks: {}")];
        assert_snapshot!(found(&labels, None, None).await, @"error: containers one and two of orders:42 have different greenlight.plan labels");
    }

    #[test]
    fn a_name_that_no_parameter_can_have_is_not_asked_for() {
        assert_eq!(parameter_name("my app", "orders"), None);
        assert_eq!(parameter_name("shop", "orders").as_deref(), Some("/greenlight/shop/orders"));
    }
}

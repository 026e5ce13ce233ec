//! `secrets-exist`

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures::future::join_all;

use super::secret_source::{Source, short_name};
use super::words::{cannot_tell, count, list, version};
use crate::check::{Answer, CannotTell, Check, CheckContext};
use crate::deployment::AnyDeployment as _;
use crate::ports::TaskDefinition;

/// Names that one call may ask for.
const AT_ONCE: usize = 50;

/// Every secret and parameter that green's tasks would be started with exists. No value is read.
pub struct SecretsExist;

/// One value that a container is started with.
struct Wanted {
    /// `API_TOKEN of app`.
    by: String,
    source: Source,
}

#[async_trait]
impl Check for SecretsExist {
    fn id(&self) -> &'static str {
        "secrets-exist"
    }

    fn question(&self) -> String {
        "Does every secret and parameter exist that the task definition's containers are started with?".to_owned()
    }

    async fn ask(&self, context: &CheckContext) -> Result<Answer, CannotTell> {
        let arn = &context.deployment.target_task_definition;
        let Some(definition) = context.ports.tasks().task_definition(arn).await? else {
            let asked = format!("the secrets of {}: ECS has no such task definition", version(arn));
            return Err(cannot_tell(asked, format!("Correct {}.", context.deployment.terms().task_definition)));
        };
        let wanted = wanted(&definition);
        if wanted.is_empty() {
            return Ok(Answer::yes(format!("{} takes no secret and no parameter", version(arn))));
        }
        let own_account = arn.split(':').nth(4).unwrap_or_default();
        let (parameters, foreign) = by_region(&wanted, own_account);
        let secrets = join_all(wanted.iter().map(|wanted| missing_secret(context, wanted)));
        let parameters = join_all(parameters.into_iter().map(|(region, of)| missing_parameters(context, region, of)));
        let (secrets, parameters) = tokio::join!(secrets, parameters);
        let (mut missing, mut unknown) = (Vec::new(), None);
        for found in secrets.into_iter().map(|found| found.map(|found| found.into_iter().collect())).chain(parameters) {
            match found {
                Ok(found) => missing.extend::<Vec<String>>(found),
                Err(error) => unknown = unknown.or(Some(error)),
            }
        }
        // One that is missing stops the deployment, whatever is unknown of the others.
        if !missing.is_empty() {
            let remedy = "Create it, or correct valueFrom in the task definition; then deploy the new revision.";
            return Ok(Answer::no(missing.join("; "), remedy));
        }
        if let Some(error) = unknown {
            return Err(error);
        }
        let asked = wanted.len() - foreign.len();
        let named = count(asked, "value");
        let mut seen = format!("found {named} that containers are started with, by name: none was read");
        if !foreign.is_empty() {
            seen.push_str(&format!("; not asked, of another account: {}", list(&foreign)));
        }
        Ok(Answer::yes(seen))
    }
}

/// Everything that a container of it is started with.
fn wanted(definition: &TaskDefinition) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for container in &definition.containers {
        for (name, value_from) in &container.secrets {
            let by = format!("{name} of {}", container.name);
            wanted.push(Wanted { by, source: Source::of_value(value_from) });
        }
        if let Some(login) = &container.registry_login {
            let by = format!("the registry login of {}", container.name);
            wanted.push(Wanted { by, source: Source::of_login(login) });
        }
    }
    wanted
}

/// Why this secret cannot be had; `None` when it can, and for what is no secret.
async fn missing_secret(context: &CheckContext, wanted: &Wanted) -> Result<Option<String>, CannotTell> {
    let Source::Secret { id, stage, version } = &wanted.source else { return Ok(None) };
    let (by, name) = (&wanted.by, short_name(id));
    let Some(found) = context.ports.secrets().description(id).await? else {
        return Ok(Some(format!("there is no secret {name} for {by}")));
    };
    if found.is_being_deleted {
        return Ok(Some(format!("secret {name} for {by} is being deleted")));
    }
    let labelled = |stage: &String| found.versions.iter().any(|(_, stages)| stages.contains(stage));
    if let Some(stage) = stage.as_ref().filter(|stage| !labelled(stage)) {
        return Ok(Some(format!("secret {name} for {by} has no version labelled {stage}")));
    }
    let known = |version: &String| found.versions.iter().any(|(id, _)| id == version);
    Ok(version
        .as_ref()
        .filter(|version| !known(version))
        .map(|it| format!("secret {name} for {by} has no version {it}")))
}

/// By Region: the parameters to ask for; and those of other accounts, which nobody can be asked about.
fn by_region<'a>(wanted: &'a [Wanted], own: &str) -> (BTreeMap<Option<&'a str>, Vec<&'a Wanted>>, Vec<String>) {
    let (mut regions, mut foreign): (BTreeMap<_, Vec<_>>, Vec<String>) = (BTreeMap::new(), Vec::new());
    for one in wanted {
        match &one.source {
            Source::Parameter { account: Some(account), .. } if account != own => foreign.push(one.by.clone()),
            Source::Parameter { region, .. } => regions.entry(region.as_deref()).or_default().push(one),
            Source::Secret { .. } => {}
        }
    }
    (regions, foreign)
}

/// Those of these parameters of one Region that do not exist.
async fn missing_parameters(
    context: &CheckContext,
    region: Option<&str>,
    wanted: Vec<&Wanted>,
) -> Result<Vec<String>, CannotTell> {
    let names = |wanted: &Wanted| match &wanted.source {
        Source::Parameter { names, .. } => names.clone(),
        Source::Secret { .. } => Vec::new(),
    };
    let mut all: Vec<String> = wanted.iter().flat_map(|wanted| names(wanted)).collect();
    all.sort();
    all.dedup();
    let batches = all.chunks(AT_ONCE).map(|batch| context.ports.parameters().existing(region, batch));
    let mut existing = Vec::new();
    for batch in join_all(batches).await {
        existing.extend(batch?);
    }
    let is_missing = |wanted: &&&Wanted| !names(wanted).iter().any(|name| existing.contains(name));
    let told = |wanted: &&Wanted| {
        format!("there is no parameter {} for {}", names(wanted).first().cloned().unwrap_or_default(), wanted.by)
    };
    Ok(wanted.iter().filter(is_missing).map(told).collect())
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::SecretsExist;
    use crate::checks::told::told;
    use crate::fakes::Fakes;
    use crate::ports::SecretDescription;
    use crate::stage::Stage;

    const SECRET: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:orders/token-AbCdEf";

    /// A container that is started with these, in a world that has one secret and one parameter.
    fn world(secrets: &[(&str, &str)]) -> Fakes {
        let fakes = Fakes::well();
        {
            let mut state = fakes.state();
            let versions = vec![("v1".to_owned(), vec!["AWSCURRENT".to_owned()])];
            state.descriptions.insert(SECRET.to_owned(), SecretDescription { versions, ..Default::default() });
            state.parameters.insert("/orders/limit".to_owned(), "never read".to_owned());
            let container = &mut state.task_definitions[1].containers[0];
            container.secrets = secrets.iter().map(|(name, from)| ((*name).to_owned(), (*from).to_owned())).collect();
        }
        fakes
    }

    async fn row(fakes: &Fakes) -> String {
        told(&SecretsExist, &fakes.context(Stage::BeforeInstall)).await
    }

    #[tokio::test]
    async fn passes_when_all_exist_and_when_there_is_none() {
        let key = format!("{SECRET}:key:AWSCURRENT:");
        let fakes = world(&[("TOKEN", SECRET), ("KEY", &key), ("LIMIT", "/orders/limit")]);
        assert_snapshot!(row(&fakes).await, @"
        PASSED
          found 3 values that containers are started with, by name: none was read
        ");
        assert_snapshot!(row(&Fakes::well()).await, @"
        PASSED
          orders:42 takes no secret and no parameter
        ");
    }

    #[tokio::test]
    async fn fails_when_one_is_missing() {
        let gone = SECRET.replace("token", "gone");
        let fakes = world(&[("TOKEN", &gone), ("LIMIT", "/orders/gone"), ("OTHER", "/orders/limit")]);
        assert_snapshot!(row(&fakes).await, @"
        FAILED
          there is no secret orders/gone for TOKEN of app; there is no parameter /orders/gone for LIMIT of app
          do: Create it, or correct valueFrom in the task definition; then deploy the new revision.
        ");
        fakes.state().task_definitions[1].containers[0].secrets.clear();
        fakes.state().task_definitions[1].containers[0].registry_login = Some("registry/login".to_owned());
        assert_snapshot!(row(&fakes).await, @"
        FAILED
          there is no secret registry/login for the registry login of app
          do: Create it, or correct valueFrom in the task definition; then deploy the new revision.
        ");
    }

    #[tokio::test]
    async fn fails_when_the_version_is_missing_or_the_secret_is_being_deleted() {
        let (stage, id) = (format!("{SECRET}::AWSPENDING:"), format!("{SECRET}:::v2"));
        let fakes = world(&[("ONE", &stage), ("TWO", &id)]);
        assert_snapshot!(row(&fakes).await, @"
        FAILED
          secret orders/token for ONE of app has no version labelled AWSPENDING; secret orders/token for TWO of app has no version v2
          do: Create it, or correct valueFrom in the task definition; then deploy the new revision.
        ");
        fakes.state().descriptions.get_mut(SECRET).expect("it is there").is_being_deleted = true;
        assert!(row(&fakes).await.contains("secret orders/token for ONE of app is being deleted"));
    }

    #[tokio::test]
    async fn a_parameter_of_another_account_is_not_asked_for() {
        let arn = "arn:aws:ssm:eu-central-1:210987654321:parameter/shared";
        let fakes =
            world(&[("SHARED", arn), ("LIMIT", "arn:aws:ssm:eu-central-1:123456789012:parameter/orders/limit")]);
        assert_snapshot!(row(&fakes).await, @"
        PASSED
          found 1 value that containers are started with, by name: none was read; not asked, of another account: SHARED of app
        ");
    }

    #[tokio::test]
    async fn cannot_tell_when_aws_does_not_answer() {
        let fakes = world(&[("TOKEN", SECRET)]);
        fakes.state().unreachable = Some(false);
        assert_snapshot!(row(&fakes).await, @"
        CANNOT TELL
          task definition arn:aws:ecs:eu-central-1:123456789012:task-definition/orders:42: the call was refused
          do: Allow the call in the function's role.
        ");
    }
}

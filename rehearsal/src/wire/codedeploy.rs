//! CodeDeploy for the ECS compute platform.

use serde::Deserialize;

use super::context::{Context, Operation, required};
use super::refusal::Refusal;
use crate::codedeploy::api;
use crate::world::State;
use crate::world::deployments::{Deployment, DeploymentGroup};

mod applications;
mod configs;
mod deployments;
mod groups;
mod revisions;
mod settings;
mod targets;

/// What is implemented.
pub(super) const OPERATIONS: &[(&str, Operation)] = &[
    ("BatchGetDeploymentGroups", |context, input| context.run(input, groups::batch_get)),
    ("BatchGetDeploymentTargets", |context, input| context.run(input, targets::batch_get)),
    ("BatchGetDeployments", |context, input| context.run(input, deployments::batch_get)),
    ("CreateDeployment", |context, input| context.run(input, deployments::create)),
    ("CreateDeploymentConfig", |context, input| context.run(input, configs::create)),
    ("GetApplication", |context, input| context.run(input, applications::get)),
    ("GetApplicationRevision", |context, input| context.run(input, revisions::get)),
    ("GetDeployment", |context, input| context.run(input, deployments::get)),
    ("GetDeploymentConfig", |context, input| context.run(input, configs::get)),
    ("GetDeploymentGroup", |context, input| context.run(input, groups::get)),
    ("GetDeploymentTarget", |context, input| context.run(input, targets::get)),
    ("ListApplicationRevisions", |context, input| context.run(input, revisions::list)),
    ("ListApplications", |context, input| context.run(input, applications::list)),
    ("ListDeploymentConfigs", |context, input| context.run(input, configs::list)),
    ("ListDeploymentGroups", |context, input| context.run(input, groups::list)),
    ("ListDeploymentTargets", |context, input| context.run(input, targets::list)),
    ("ListDeployments", |context, input| context.run(input, deployments::list)),
    ("PutLifecycleEventHookExecutionStatus", |context, input| context.run(input, targets::answer_hook)),
    ("RegisterApplicationRevision", |context, input| context.run(input, revisions::register)),
    ("StopDeployment", |context, input| context.run(input, deployments::stop)),
    ("UpdateDeploymentGroup", |context, input| context.run(input, groups::update)),
];

/// CodeDeploy's lists take no page size from the client.
const PAGE: usize = 100;

/// The input of operations that take a token and nothing else.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OnlyToken {
    next_token: Option<String>,
}

fn page<T>(context: &Context<'_>, items: Vec<T>, token: Option<&str>) -> Result<(Vec<T>, Option<String>), Refusal> {
    context
        .page(items, token, None, PAGE)
        .ok_or_else(|| Refusal::new("InvalidNextTokenException", "The next token is not valid"))
}

fn application_name(state: &State, name: Option<String>) -> Result<String, Refusal> {
    let name = required(name, || Refusal::new("ApplicationNameRequiredException", "Application name is missing"))?;
    if state.codedeploy.applications.contains(&name) {
        Ok(name)
    } else {
        Err(Refusal::new("ApplicationDoesNotExistException", format!("No application found for name: {name}")))
    }
}

fn group<'a>(state: &'a State, application: &str, name: Option<&str>) -> Result<&'a DeploymentGroup, Refusal> {
    let name = name
        .filter(|name| !name.is_empty())
        .ok_or_else(|| Refusal::new("DeploymentGroupNameRequiredException", "Deployment group name is missing"))?;
    state.codedeploy.group(application, name).ok_or_else(|| {
        Refusal::new("DeploymentGroupDoesNotExistException", format!("No Deployment Group found for name: {name}"))
    })
}

fn deployment_id(id: Option<String>) -> Result<String, Refusal> {
    let id = required(id, || Refusal::new("DeploymentIdRequiredException", "The deployment ID is missing"))?;
    let valid = id.strip_prefix("d-").is_some_and(|rest| {
        rest.len() == 9 && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    });
    if valid {
        Ok(id)
    } else {
        Err(Refusal::new("InvalidDeploymentIdException", format!("The deployment ID {id} is not in a valid format")))
    }
}

fn deployment<'a>(state: &'a State, id: &str) -> Result<&'a Deployment, Refusal> {
    state.codedeploy.deployment(id).ok_or_else(|| api::unknown(id).into())
}

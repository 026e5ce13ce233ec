//! Applications.

use serde::{Deserialize, Serialize};

use super::{OnlyToken, application_name, page};
use crate::wire::context::{Context, Time, stable_uuid};
use crate::wire::refusal::Refusal;
use crate::world::deployments::{DeploymentGroup, Platform};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetApplication {
    application_name: Option<String>,
}

#[derive(Serialize)]
pub(super) struct GotApplication {
    application: Application,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Application {
    application_id: String,
    application_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    create_time: Option<Time>,
    linked_to_git_hub: bool,
    compute_platform: &'static str,
}

pub(super) fn get(context: &Context<'_>, input: GetApplication) -> Result<GotApplication, Refusal> {
    context.world.read(|state| {
        let name = application_name(state, input.application_name)?;
        // An application is as old as the oldest service it deploys.
        let groups = || state.codedeploy.groups.iter().filter(|group| group.application == name);
        let targets = groups().filter_map(|group| group.service());
        let services = targets.filter_map(|target| state.service(&target.cluster, &target.service));
        let create_time = services.map(|service| service.created_at).min().map(|time| context.time(time));
        let application = Application {
            compute_platform: groups().next().map_or(Platform::Ecs, DeploymentGroup::platform).name(),
            application_id: stable_uuid(&format!("application {name}")),
            application_name: name,
            create_time,
            linked_to_git_hub: false,
        };
        Ok(GotApplication { application })
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApplicationList {
    applications: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub(super) fn list(context: &Context<'_>, input: OnlyToken) -> Result<ApplicationList, Refusal> {
    let all = context.world.read(|state| state.codedeploy.applications.clone());
    let (applications, next_token) = page(context, all, input.next_token.as_deref())?;
    Ok(ApplicationList { applications, next_token })
}

//! `UpdateService`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::deployment_configuration::DeploymentConfiguration;
use super::services::{self, ServiceOut};
use super::{existing_cluster, invalid, short_name};
use crate::ecs::api;
use crate::wire::context::Context;
use crate::wire::refusal::Refusal;

/// As in a scenario.
const MOST_TASKS: u32 = 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateService {
    cluster: Option<String>,
    service: Option<String>,
    task_definition: Option<String>,
    desired_count: Option<u32>,
    force_new_deployment: Option<bool>,
    deployment_configuration: Option<DeploymentConfiguration>,
    /// What is not built must not seem to be done.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Serialize)]
pub(super) struct Updated {
    service: ServiceOut,
}

pub(super) fn update(context: &Context<'_>, input: UpdateService) -> Result<Updated, Refusal> {
    if let Some(unknown) = input.rest.keys().next() {
        return Err(invalid(&format!("the rehearsal cannot change {unknown} of a service")));
    }
    if input.desired_count.is_some_and(|tasks| tasks > MOST_TASKS) {
        return Err(invalid(&format!(
            "the rehearsal runs {MOST_TASKS} tasks at most: each is a process on its machine"
        )));
    }
    let name = input.service.as_deref().map(short_name).unwrap_or_default().to_owned();
    let (cluster, configuration) = context.world.read(|state| {
        let cluster = existing_cluster(state, input.cluster.as_deref())?;
        let service = state.service(&cluster, &name);
        let present =
            service.and_then(|service| service.controller.native()).map(|native| native.configuration.clone());
        Ok::<_, Refusal>((cluster, present))
    })?;
    let configuration = match (input.deployment_configuration, configuration) {
        (Some(wanted), Some(present)) => Some(wanted.applied_to(&present)?),
        (Some(_), None) => return Err(invalid("the deployments of this service are CodeDeploy's to configure")),
        (None, _) => None,
    };
    let update = api::Update {
        cluster: cluster.clone(),
        service: name.clone(),
        task_definition: input.task_definition,
        configuration,
        desired_count: input.desired_count,
        force: input.force_new_deployment.unwrap_or_default(),
    };
    api::update(context.world, update)?;
    let service =
        context.world.read(|state| state.service(&cluster, &name).map(|it| services::told(context, state, it)));
    Ok(Updated { service: service.expect("it has just been changed") })
}

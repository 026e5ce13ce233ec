//! Service revisions.

use serde::{Deserialize, Serialize};

use super::service_deployments::arns;
use super::services::LoadBalancer;
use super::{Failure, NETWORK, NetworkConfiguration, cluster_arn};
use crate::wire::context::{Context, Time, short_hash};
use crate::wire::refusal::Refusal;
use crate::world::State;
use crate::world::service_deployments::ServiceRevision;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeServiceRevisions {
    service_revision_arns: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptions {
    service_revisions: Vec<Out>,
    failures: Vec<Failure>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Out {
    service_revision_arn: String,
    service_arn: String,
    cluster_arn: String,
    task_definition: String,
    launch_type: &'static str,
    platform_version: &'static str,
    platform_family: &'static str,
    load_balancers: Vec<LoadBalancer>,
    network_configuration: NetworkConfiguration,
    container_images: Vec<Image>,
    guard_duty_enabled: bool,
    created_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_configuration: Option<Resolved>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    container_name: String,
    image: String,
    image_digest: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Resolved {
    load_balancers: [ResolvedLoadBalancer; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResolvedLoadBalancer {
    target_group_arn: String,
    production_listener_rule: String,
}

pub(super) fn describe(context: &Context<'_>, input: DescribeServiceRevisions) -> Result<Descriptions, Refusal> {
    let wanted = arns(input.service_revision_arns, "service-revision")?;
    Ok(context.world.read(|state| {
        let mut answer = Descriptions { service_revisions: Vec::new(), failures: Vec::new() };
        for arn in wanted {
            match state.service_revision(&arn).and_then(|revision| told(context, state, revision)) {
                Some(revision) => answer.service_revisions.push(revision),
                None => answer.failures.push(Failure::missing(arn)),
            }
        }
        answer
    }))
}

fn told(context: &Context<'_>, state: &State, revision: &ServiceRevision) -> Option<Out> {
    let service = state.service(&revision.cluster, &revision.service)?;
    let native = service.controller.native()?;
    let containers = state.task_definition(&revision.task_definition).map(|it| it.containers.as_slice());
    let image = |container: &crate::world::services::Container| Image {
        container_name: container.name.clone(),
        image: container.image.clone(),
        image_digest: format!("sha256:{}", short_hash(&container.image, 64)),
    };
    let resolved = ResolvedLoadBalancer {
        target_group_arn: revision.target_group.clone(),
        production_listener_rule: native.production_rule.clone(),
    };
    Some(Out {
        service_revision_arn: revision.arn.clone(),
        service_arn: service.arn(),
        cluster_arn: cluster_arn(&revision.cluster),
        task_definition: revision.task_definition.clone(),
        launch_type: "FARGATE",
        platform_version: "1.4.0",
        platform_family: "Linux",
        load_balancers: vec![LoadBalancer::of_service(service, native)],
        network_configuration: NETWORK,
        container_images: containers.unwrap_or_default().iter().map(image).collect(),
        guard_duty_enabled: false,
        created_at: context.time(revision.created_at),
        resolved_configuration: is_active(state, revision).then_some(Resolved { load_balancers: [resolved] }),
    })
}

/// Whether it runs, or is being deployed: only then ECS says what it really uses.
fn is_active(state: &State, revision: &ServiceRevision) -> bool {
    let mut deployments = state.deployments_of(&revision.cluster, &revision.service);
    state.task_set(&revision.task_set).is_some()
        || deployments.any(|it| it.target == revision.arn && !it.status.is_final())
}

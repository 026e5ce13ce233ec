//! ECR: the images of private repositories, and what scans of them found.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::context::{Context, Operation, Time, required};
use super::refusal::Refusal;
use crate::world::stores::Image;
use crate::world::{ACCOUNT, State};

/// What is implemented.
pub(super) const OPERATIONS: &[(&str, Operation)] = &[
    ("DescribeImages", |context, input| context.run(input, describe_images)),
    ("DescribeImageScanFindings", |context, input| context.run(input, describe_findings)),
    ("DescribePullThroughCacheRules", |context, input| context.run(input, describe_rules)),
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribeImages {
    registry_id: Option<String>,
    repository_name: Option<String>,
    image_ids: Option<Vec<Identifier>>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribeFindings {
    registry_id: Option<String>,
    repository_name: Option<String>,
    image_id: Option<Identifier>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribeRules {
    registry_id: Option<String>,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Identifier {
    #[serde(skip_serializing_if = "Option::is_none")]
    image_digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_tag: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Images {
    image_details: Vec<Detail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    registry_id: &'static str,
    repository_name: String,
    image_digest: String,
    image_tags: [String; 1],
    image_size_in_bytes: u64,
    image_pushed_at: Time,
    image_manifest_media_type: &'static str,
    artifact_media_type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Findings {
    registry_id: &'static str,
    repository_name: String,
    image_id: Identifier,
    image_scan_status: Status,
    image_scan_findings: Found,
}

#[derive(Serialize)]
struct Status {
    status: &'static str,
    description: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    image_scan_completed_at: Time,
    vulnerability_source_updated_at: Time,
    finding_severity_counts: BTreeMap<String, u32>,
    findings: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rules {
    pull_through_cache_rules: Vec<String>,
}

fn describe_images(context: &Context<'_>, input: DescribeImages) -> Result<Images, Refusal> {
    check_registry(input.registry_id)?;
    let details = context.world.read(|state| -> Result<Vec<Detail>, Refusal> {
        let (name, images) = repository(state, input.repository_name)?;
        let detail = |(tag, image): (&String, &Image)| Detail {
            registry_id: ACCOUNT,
            repository_name: name.clone(),
            image_digest: digest(&name, tag),
            image_tags: [tag.clone()],
            image_size_in_bytes: 24_000_000,
            image_pushed_at: context.time(image.pushed_at),
            image_manifest_media_type: "application/vnd.docker.distribution.manifest.v2+json",
            artifact_media_type: "application/vnd.docker.container.image.v1+json",
        };
        match input.image_ids {
            None => Ok(images.iter().map(detail).collect()),
            Some(wanted) => wanted.iter().map(|it| Ok(detail(find(&name, images, it)?))).collect(),
        }
    })?;
    let (image_details, next_token) = context
        .page(details, input.next_token.as_deref(), input.max_results, 100)
        .ok_or_else(|| Refusal::new("InvalidParameterException", "Invalid parameter at 'nextToken'"))?;
    Ok(Images { image_details, next_token })
}

fn describe_findings(context: &Context<'_>, input: DescribeFindings) -> Result<Findings, Refusal> {
    check_registry(input.registry_id)?;
    let wanted = input.image_id.ok_or_else(|| missing("imageId"))?;
    context.world.read(|state| {
        let (name, images) = repository(state, input.repository_name)?;
        let (tag, image) = find(&name, images, &wanted)?;
        let counts = image.findings.clone().ok_or_else(|| {
            let message =
                format!("Image scan does not exist for the image with '{}' in {}", told(&wanted), place(&name));
            Refusal::new("ScanNotFoundException", message)
        })?;
        Ok(Findings {
            registry_id: ACCOUNT,
            image_id: Identifier { image_digest: Some(digest(&name, tag)), image_tag: Some(tag.clone()) },
            image_scan_status: Status { status: "COMPLETE", description: "The scan was completed successfully." },
            image_scan_findings: Found {
                image_scan_completed_at: context.time(image.pushed_at),
                vulnerability_source_updated_at: context.time(image.pushed_at),
                finding_severity_counts: counts,
                findings: Vec::new(),
            },
            repository_name: name,
        })
    })
}

/// The registry has no such rule.
fn describe_rules(_: &Context<'_>, input: DescribeRules) -> Result<Rules, Refusal> {
    check_registry(input.registry_id)?;
    Ok(Rules { pull_through_cache_rules: Vec::new() })
}

/// There is one account here, and it has been given no other's policy.
fn check_registry(id: Option<String>) -> Result<(), Refusal> {
    match id {
        Some(other) if other != ACCOUNT => Err(Refusal::new(
            "AccessDeniedException",
            format!("the caller is not authorized to perform this action on a resource of account {other}"),
        )),
        _ => Ok(()),
    }
}

fn repository(state: &State, name: Option<String>) -> Result<(String, &BTreeMap<String, Image>), Refusal> {
    let name = required(name, || missing("repositoryName"))?;
    match state.stores.repositories.get(&name) {
        Some(images) => Ok((name, images)),
        None => {
            let message =
                format!("The repository with name '{name}' does not exist in the registry with id '{ACCOUNT}'");
            Err(Refusal::new("RepositoryNotFoundException", message))
        }
    }
}

fn find<'a>(
    repository: &str,
    images: &'a BTreeMap<String, Image>,
    wanted: &Identifier,
) -> Result<(&'a String, &'a Image), Refusal> {
    let is_it = |tag: &String| {
        wanted.image_tag.as_ref().is_none_or(|it| it == tag)
            && wanted.image_digest.as_ref().is_none_or(|it| *it == digest(repository, tag))
    };
    images.iter().find(|(tag, _)| is_it(tag)).ok_or_else(|| {
        let message =
            format!("The image with imageId {} does not exist within the {}", told(wanted), place(repository));
        Refusal::new("ImageNotFoundException", message)
    })
}

fn told(wanted: &Identifier) -> String {
    let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "null".to_owned());
    format!("{{imageDigest:'{}', imageTag:'{}'}}", part(&wanted.image_digest), part(&wanted.image_tag))
}

fn place(repository: &str) -> String {
    format!("repository with name '{repository}' in the registry with id '{ACCOUNT}'")
}

/// There is no image, only its name.
fn digest(repository: &str, tag: &str) -> String {
    let hash = Sha256::digest(format!("{repository}:{tag}"));
    format!("sha256:{}", hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn missing(member: &str) -> Refusal {
    Refusal::new("InvalidParameterException", format!("Invalid parameter at '{member}': it is required"))
}

//! Revisions: where an AppSpec is, and its text where CodeDeploy tells it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{application_name, page};
use crate::codedeploy::api::{self, NewRevision};
use crate::wire::context::{Context, Nothing, Time};
use crate::wire::refusal::Refusal;
use crate::world::State;
use crate::world::deployments::{Revision, RevisionLocation};

/// `RevisionLocation`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Location {
    revision_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    s3_location: Option<S3Location>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_spec_content: Option<AppSpecContent>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct S3Location {
    bucket: Option<String>,
    key: Option<String>,
    bundle_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e_tag: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct AppSpecContent {
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

impl Location {
    /// How a deployment tells its revision: never with the text of the AppSpec.
    pub(super) fn without_content(location: &RevisionLocation) -> Self {
        match location {
            RevisionLocation::Inline { sha256 } => Self {
                revision_type: Some("AppSpecContent".to_owned()),
                s3_location: None,
                app_spec_content: Some(AppSpecContent { content: None, sha256: Some(sha256.clone()) }),
            },
            RevisionLocation::S3 { bucket, key, bundle_type, version, e_tag } => Self {
                revision_type: Some("S3".to_owned()),
                s3_location: Some(S3Location {
                    bucket: Some(bucket.clone()),
                    key: Some(key.clone()),
                    bundle_type: Some(bundle_type.clone()),
                    version: version.clone(),
                    e_tag: e_tag.clone(),
                }),
                app_spec_content: None,
            },
        }
    }

    fn with_content(revision: &Revision) -> Self {
        let mut location = Self::without_content(&revision.location);
        if let Some(app_spec) = &mut location.app_spec_content {
            app_spec.content = Some(revision.content.clone());
        }
        location
    }

    /// The revision that a client wants to deploy or register.
    pub(super) fn new_revision(self) -> Result<NewRevision, Refusal> {
        match self.revision_type.as_deref() {
            Some("AppSpecContent") => {
                let app_spec = self.app_spec_content.unwrap_or_default();
                let content = app_spec.content.ok_or_else(|| invalid("appSpecContent.content is missing"))?;
                Ok(NewRevision::Inline { content, sha256: app_spec.sha256 })
            }
            Some("S3") => {
                let location = self.s3_location.unwrap_or_default();
                let version = location.version.clone();
                let (bucket, key, bundle_type) = location.parts()?;
                Ok(NewRevision::S3 { bucket, key, bundle_type, version })
            }
            Some(other @ ("GitHub" | "String")) => {
                Err(invalid(&format!("A revision of type {other} cannot be deployed to ECS")))
            }
            Some(other) => Err(invalid(&format!("{other} is not one of S3, GitHub, String, AppSpecContent"))),
            None => Err(invalid("revisionType is missing")),
        }
    }

    /// The filed revision that a client asks for.
    fn find<'a>(&self, state: &'a State, application: &str) -> Result<&'a Revision, Refusal> {
        let mut revisions = state.codedeploy.revisions.iter().filter(|it| it.application == application);
        let found = match self.revision_type.as_deref() {
            Some("AppSpecContent") => {
                let app_spec = self.app_spec_content.clone().unwrap_or_default();
                let of_content = || app_spec.content.as_ref().map(|content| hex(content.as_bytes()));
                let wanted = app_spec.sha256.clone().or_else(of_content);
                let wanted = wanted.ok_or_else(|| invalid("appSpecContent has neither sha256 nor content"))?;
                revisions.find(
                    |it| matches!(&it.location, RevisionLocation::Inline { sha256 } if sha256.eq_ignore_ascii_case(&wanted)),
                )
            }
            Some("S3") => {
                let wanted = self.s3_location.clone().unwrap_or_default().parts()?;
                revisions.find(|it| match &it.location {
                    RevisionLocation::S3 { bucket, key, bundle_type, .. } => {
                        (bucket, key, bundle_type) == (&wanted.0, &wanted.1, &wanted.2)
                    }
                    RevisionLocation::Inline { .. } => false,
                })
            }
            Some("GitHub" | "String") => None,
            Some(other) => return Err(invalid(&format!("{other} is not one of S3, GitHub, String, AppSpecContent"))),
            None => return Err(invalid("revisionType is missing")),
        };
        found.ok_or_else(|| {
            Refusal::new("RevisionDoesNotExistException", format!("No such revision is registered with {application}"))
        })
    }
}

impl S3Location {
    fn parts(self) -> Result<(String, String, String), Refusal> {
        let (Some(bucket), Some(key), Some(bundle_type)) = (self.bucket, self.key, self.bundle_type) else {
            return Err(invalid("s3Location needs bucket, key and bundleType"));
        };
        if ["tar", "tgz", "zip", "YAML", "JSON"].contains(&bundle_type.as_str()) {
            Ok((bucket, key, bundle_type))
        } else {
            Err(invalid(&format!("{bundle_type} is not one of tar, tgz, zip, YAML, JSON")))
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OneRevision {
    application_name: Option<String>,
    revision: Option<Location>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GotRevision {
    application_name: String,
    revision: Location,
    revision_info: RevisionInfo,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RevisionInfo {
    deployment_groups: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_used_time: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_time: Option<Time>,
    register_time: Time,
}

/// Alone tells the text of an AppSpec.
pub(super) fn get(context: &Context<'_>, input: OneRevision) -> Result<GotRevision, Refusal> {
    context.world.read(|state| {
        let application_name = application_name(state, input.application_name)?;
        let revision = input.revision.ok_or_else(missing)?.find(state, &application_name)?;
        let used = state
            .codedeploy
            .deployments
            .iter()
            .filter(|it| it.application == application_name && it.revision == revision.location);
        let mut deployment_groups: Vec<String> = used.clone().map(|it| it.group.clone()).collect();
        deployment_groups.sort();
        deployment_groups.dedup();
        let revision_info = RevisionInfo {
            deployment_groups,
            first_used_time: used.clone().map(|it| it.created_at).min().map(|time| context.time(time)),
            last_used_time: used.map(|it| it.created_at).max().map(|time| context.time(time)),
            register_time: context.time(revision.registered_at),
        };
        Ok(GotRevision { revision: Location::with_content(revision), application_name, revision_info })
    })
}

pub(super) fn register(context: &Context<'_>, input: OneRevision) -> Result<Nothing, Refusal> {
    let now = context.world.now();
    context.world.update(|state| {
        let application = application_name(state, input.application_name)?;
        let revision = input.revision.ok_or_else(missing)?.new_revision()?;
        api::register(state, &application, &revision, now)?;
        Ok(Nothing {})
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListRevisions {
    application_name: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    s3_bucket: Option<String>,
    s3_key_prefix: Option<String>,
    deployed: Option<String>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RevisionList {
    revisions: Vec<Location>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub(super) fn list(context: &Context<'_>, input: ListRevisions) -> Result<RevisionList, Refusal> {
    let choice = |given: &Option<String>, known: &[&str], code: &'static str| match given.as_deref() {
        Some(given) if !known.contains(&given) => Err(Refusal::new(code, format!("{given} is not one of {known:?}"))),
        _ => Ok(()),
    };
    choice(&input.sort_by, &["registerTime", "firstUsedTime", "lastUsedTime"], "InvalidSortByException")?;
    choice(&input.sort_order, &["ascending", "descending"], "InvalidSortOrderException")?;
    choice(&input.deployed, &["include", "exclude", "ignore"], "InvalidDeployedStateFilterException")?;
    if input.s3_key_prefix.is_some() && input.s3_bucket.is_none() {
        return Err(Refusal::new("BucketNameFilterRequiredException", "s3KeyPrefix needs s3Bucket"));
    }
    let all = context.world.read(|state| {
        let application = application_name(state, input.application_name)?;
        let uses = |revision: &Revision| {
            let deployments = state.codedeploy.deployments.iter();
            let used = deployments.filter(|it| it.application == application && it.revision == revision.location);
            used.map(|it| it.created_at).collect::<Vec<_>>()
        };
        let in_bucket = |revision: &&Revision| match (&input.s3_bucket, &revision.location) {
            (None, _) => true,
            (Some(wanted), RevisionLocation::S3 { bucket, key, .. }) => {
                wanted == bucket && input.s3_key_prefix.as_ref().is_none_or(|prefix| key.starts_with(prefix.as_str()))
            }
            (Some(_), RevisionLocation::Inline { .. }) => false,
        };
        let mut revisions: Vec<&Revision> = state
            .codedeploy
            .revisions
            .iter()
            .filter(|it| it.application == application)
            .filter(in_bucket)
            .filter(|it| match input.deployed.as_deref() {
                Some("include") => !uses(it).is_empty(),
                Some("exclude") => uses(it).is_empty(),
                _ => true,
            })
            .collect();
        revisions.sort_by_key(|it| match input.sort_by.as_deref() {
            Some("firstUsedTime") => uses(it).into_iter().min(),
            Some("lastUsedTime") => uses(it).into_iter().max(),
            _ => Some(it.registered_at),
        });
        if input.sort_order.as_deref() == Some("descending") {
            revisions.reverse();
        }
        Ok::<_, Refusal>(revisions.into_iter().map(|it| Location::without_content(&it.location)).collect())
    })?;
    let (revisions, next_token) = page(context, all, input.next_token.as_deref())?;
    Ok(RevisionList { revisions, next_token })
}

fn missing() -> Refusal {
    Refusal::new("RevisionRequiredException", "The revision is missing")
}

fn invalid(message: &str) -> Refusal {
    Refusal::new("InvalidRevisionException", message)
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

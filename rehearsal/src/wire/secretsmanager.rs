//! Secrets Manager: text secrets with one version.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::context::{Context, Operation, Time, required, short_hash, stable_uuid};
use super::refusal::Refusal;
use crate::world::stores::Secret;
use crate::world::{ACCOUNT, REGION};

/// What is implemented.
pub(super) const OPERATIONS: &[(&str, Operation)] = &[
    ("GetSecretValue", |context, input| context.run(input, get_secret_value)),
    ("DescribeSecret", |context, input| context.run(input, describe_secret)),
];

const CURRENT: &str = "AWSCURRENT";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetSecretValue {
    secret_id: Option<String>,
    version_id: Option<String>,
    version_stage: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SecretValue {
    #[serde(rename = "ARN")]
    arn: String,
    name: String,
    version_id: String,
    secret_string: String,
    version_stages: Vec<&'static str>,
    created_date: Time,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeSecret {
    secret_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SecretDescription {
    #[serde(rename = "ARN")]
    arn: String,
    name: String,
    last_changed_date: Time,
    version_ids_to_stages: BTreeMap<String, Vec<&'static str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Tag>,
    created_date: Time,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

fn get_secret_value(context: &Context<'_>, input: GetSecretValue) -> Result<SecretValue, Refusal> {
    let (name, secret) = find(context, input.secret_id)?;
    let version_id = version(&name);
    let by_stage = input.version_stage.as_deref().filter(|stage| *stage != CURRENT);
    let by_id = input.version_id.as_deref().filter(|id| *id != version_id);
    if let Some((what, wanted)) = by_stage.map(|it| ("staging label", it)).or(by_id.map(|it| ("VersionId", it))) {
        return Err(Refusal::new(
            "ResourceNotFoundException",
            format!("Secrets Manager can't find the specified secret value for {what}: {wanted}"),
        ));
    }
    Ok(SecretValue {
        arn: arn(&name),
        version_id,
        secret_string: context.detour(|detour| detour.secrets.get(&name).cloned()).unwrap_or(secret.value),
        version_stages: vec![CURRENT],
        created_date: context.time(secret.created_at),
        name,
    })
}

fn describe_secret(context: &Context<'_>, input: DescribeSecret) -> Result<SecretDescription, Refusal> {
    let (name, secret) = find(context, input.secret_id)?;
    Ok(SecretDescription {
        arn: arn(&name),
        last_changed_date: context.time(secret.created_at),
        version_ids_to_stages: BTreeMap::from([(version(&name), vec![CURRENT])]),
        tags: secret.tags.into_iter().map(|(key, value)| Tag { key, value }).collect(),
        created_date: context.time(secret.created_at),
        name,
    })
}

/// By name, ARN, or ARN without its six last characters.
fn find(context: &Context<'_>, id: Option<String>) -> Result<(String, Secret), Refusal> {
    let id = required(id, || Refusal::new("InvalidParameterException", "You must provide a value for SecretId."))?;
    context
        .world
        .read(|state| {
            let mut secrets = state.stores.secrets.iter();
            let found = secrets.find(|(name, _)| **name == id || arn(name) == id || partial_arn(name) == id);
            found.map(|(name, secret)| (name.clone(), secret.clone()))
        })
        .ok_or_else(|| Refusal::new("ResourceNotFoundException", "Secrets Manager can't find the specified secret."))
}

fn partial_arn(name: &str) -> String {
    format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}")
}

/// The whole ARN of a secret, with the letters that Secrets Manager adds to its name.
pub(super) fn arn(name: &str) -> String {
    format!("{}-{}", partial_arn(name), short_hash(name, 6))
}

fn version(name: &str) -> String {
    stable_uuid(&format!("version of {name}"))
}

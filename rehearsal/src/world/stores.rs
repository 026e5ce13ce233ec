//! What other services keep: parameters, secrets, objects, images, database instances.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// The stores.
#[derive(Default)]
pub struct Stores {
    /// SSM parameters by name.
    pub parameters: BTreeMap<String, Parameter>,
    /// Secrets by name.
    pub secrets: BTreeMap<String, Secret>,
    /// S3 objects by bucket and key.
    pub objects: BTreeMap<(String, String), Object>,
    /// ECR's repositories: images by tag.
    pub repositories: BTreeMap<String, BTreeMap<String, Image>>,
    /// RDS database instances by identifier.
    pub databases: BTreeMap<String, Database>,
    /// What clients registered with task definitions beyond what the world runs, by ARN, as they gave it.
    pub task_definitions: BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
}

/// An SSM parameter of type `String`.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Value.
    pub value: String,
    /// Version, from 1.
    pub version: u64,
    /// Changed when.
    pub modified_at: Timestamp,
}

/// A secret of Secrets Manager.
#[derive(Clone)]
pub struct Secret {
    /// Its text.
    pub value: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Created when.
    pub created_at: Timestamp,
}

/// An object in S3.
#[derive(Clone, Debug)]
pub struct Object {
    /// Content.
    pub body: Vec<u8>,
    /// Written when.
    pub modified_at: Timestamp,
}

impl Object {
    /// The id of its version. There is one of each content; older ones are not kept.
    pub fn version(&self) -> String {
        Sha256::digest(&self.body).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// An image of ECR. There is nothing in it: a task is a process on this machine.
#[derive(Clone, Debug)]
pub struct Image {
    /// Pushed when.
    pub pushed_at: Timestamp,
    /// Findings of its scan by severity; `None` where it was never scanned.
    pub findings: Option<BTreeMap<String, u32>>,
}

/// An RDS database instance.
#[derive(Clone, Debug)]
pub struct Database {
    /// `postgres`.
    pub engine: String,
    /// Version of the server.
    pub engine_version: String,
    /// `available`, …
    pub status: String,
    /// Host of its endpoint.
    pub host: String,
    /// Port of its endpoint.
    pub port: u16,
    /// Name of its database.
    pub name: String,
    /// Whether users may log in by IAM authentication.
    pub iam_authentication: bool,
    /// Cluster it belongs to, where it does.
    pub cluster: Option<String>,
    /// Tags; those of its cluster too.
    pub tags: BTreeMap<String, String>,
    /// Created when.
    pub created_at: Timestamp,
}

/// The id with which IAM names an instance, which does not change with its name.
pub fn resource_id(instance: &str) -> String {
    let digest = Sha256::digest(instance);
    format!("db-{}", digest.iter().take(13).map(|byte| format!("{byte:02X}")).collect::<String>())
}

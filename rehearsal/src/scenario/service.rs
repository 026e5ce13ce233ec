//! The service of a scenario and its two versions.

use std::collections::BTreeMap;
use std::path::PathBuf;

use greenlight::document::{Location, Spanned};
use greenlight::ports::BucketFolder;
use greenlight::units::Span;
use schemars::JsonSchema;
use serde::Deserialize;

use super::rules;
use crate::database::Engine;
use crate::database_certificate::Shown;
use crate::world::{ACCOUNT, REGION, ZONES};

/// The service.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceSpec {
    /// Its name.
    #[serde(default = "name", deserialize_with = "rules::service_name")]
    pub name: String,
    /// Its cluster.
    #[serde(default = "cluster", deserialize_with = "rules::cluster_name")]
    pub cluster: String,
    /// How many tasks.
    #[serde(default = "two", deserialize_with = "rules::tasks")]
    pub desired_count: u32,
    /// A shell command that starts one task of either version; the sample service when missing.
    #[serde(default, deserialize_with = "rules::command")]
    pub command: Option<String>,
    /// The environment variable that tells a task its port.
    #[serde(default = "port_variable", deserialize_with = "rules::variable")]
    pub port_variable: String,
    /// The environment variable that tells a task its database.
    #[serde(default = "database_variable", deserialize_with = "rules::variable")]
    pub database_variable: String,
    /// Whether there is a database for it.
    #[serde(default = "yes")]
    pub database: bool,
    /// Which one: `postgres`, or `mariadb` where it is installed.
    #[serde(default)]
    pub database_engine: Option<Spanned<Engine>>,
    /// What RDS says of it: `available`, `storage-full`, …
    #[serde(default = "available")]
    pub database_status: String,
    /// The certificate that it shows.
    #[serde(default)]
    pub database_certificate: DatabaseCertificate,
    /// Name of the secret with the login that migrates it; `<service>/migrator` when missing.
    #[serde(default)]
    pub database_secret: Option<String>,
    /// Identifier of the database in RDS; the service's name when missing.
    #[serde(default)]
    pub database_identifier: Option<String>,
    /// Its tag `greenlight:applications`: the applications whose plans may log in there by IAM authentication; none when missing.
    #[serde(default)]
    pub database_applications: Option<String>,
    /// A report of blue's that has read every table in one transaction, and how long it goes on, in real time, once
    /// `BeforeAllowTraffic` has begun; none when missing.
    #[serde(default)]
    pub long_report: Option<Spanned<Span>>,
    /// A user of it who logs in by IAM authentication, as hooks do whose plan says `auth`; none when missing.
    #[serde(default, deserialize_with = "rules::database_user")]
    pub database_iam_user: Option<String>,
    /// A folder of migrations with sqlx's names; the sample service's when missing.
    #[serde(default)]
    pub migrations: Option<Spanned<PathBuf>>,
    /// A folder of a bucket, `s3://bucket/folder/`, that the migrations are uploaded to: the hook reads them there.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub migrations_in_s3: Option<Spanned<BucketFolder>>,
    /// The last migration that is applied before the deployment begins: blue's schema. The first when missing.
    #[serde(default)]
    pub migrated_to: Option<Spanned<i64>>,
    /// The load balancer's health check.
    #[serde(default)]
    pub health_check: HealthCheckSpec,
    /// How long a deregistered target may finish its requests.
    #[serde(default = "minute", deserialize_with = "rules::deregistration_delay")]
    pub deregistration_delay: Span,
    /// A zone that has no room for green's tasks.
    #[serde(default)]
    pub zone_without_room: Option<Zone>,
    /// How long after a task's start failed health checks do not stop it.
    #[serde(default = "minute")]
    pub health_check_grace_period: Span,
    /// Whether the scenario says anything of it.
    #[serde(skip, default = "yes")]
    pub is_written: bool,
}

impl Default for ServiceSpec {
    fn default() -> Self {
        let usual: Self = greenlight::document::parse("{}", "the defaults").expect("every key has a default");
        Self { is_written: false, ..usual }
    }
}

/// The load balancer's health check.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthCheckSpec {
    /// Path.
    #[serde(default = "health", deserialize_with = "rules::path")]
    pub path: String,
    /// Between two checks of one target.
    #[serde(default = "half_a_minute", deserialize_with = "rules::check_interval")]
    pub interval: Span,
    /// Until a check counts as failed.
    #[serde(default = "five_seconds", deserialize_with = "rules::check_timeout")]
    pub timeout: Spanned<Span>,
    /// Good answers in a row until healthy.
    #[serde(default = "two", deserialize_with = "rules::check_count")]
    pub healthy: u32,
    /// Bad answers in a row until unhealthy.
    #[serde(default = "three", deserialize_with = "rules::check_count")]
    pub unhealthy: u32,
    /// Codes that count as good.
    #[serde(default = "ok", deserialize_with = "rules::matcher")]
    pub matcher: String,
}

impl Default for HealthCheckSpec {
    fn default() -> Self {
        greenlight::document::parse("{}", "the defaults").expect("every key has a default")
    }
}

/// One version of the service.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// A shell command that starts one task; the service's when missing.
    #[serde(default, deserialize_with = "rules::command")]
    pub command: Option<String>,
    /// Its image in ECR.
    #[serde(default)]
    pub image: ImageSpec,
    /// Variables whose values come from Secrets Manager or Systems Manager.
    #[serde(default)]
    pub secrets: BTreeMap<String, SecretSpec>,
    /// Environment of the task. `VERSION` is 1 for blue and 2 for green unless it says otherwise.
    #[serde(default, deserialize_with = "rules::environment")]
    pub environment: BTreeMap<String, String>,
}

/// One of the two availability zones.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Zone {
    /// The first.
    A,
    /// The second.
    B,
}

impl Zone {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::A => ZONES[0],
            Self::B => ZONES[1],
        }
    }
}

impl ServiceSpec {
    /// Which database there is for it.
    pub fn engine(&self) -> Engine {
        self.database_engine.as_ref().map_or(Engine::Postgres, |engine| engine.value)
    }
}

/// The certificate of a database.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseCertificate {
    /// One that the hooks are told to trust.
    #[default]
    Trusted,
    /// Of an authority that nobody knows.
    OfAnotherAuthority,
    /// For another name.
    ForAnotherName,
}

impl DatabaseCertificate {
    pub(crate) const fn shown(self) -> Shown {
        match self {
            Self::Trusted => Shown::Trusted,
            Self::OfAnotherAuthority => Shown::OfAnotherAuthority,
            Self::ForAnotherName => Shown::ForAnotherName,
        }
    }
}

/// Where the value of a variable comes from.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretSpec {
    /// The secret with this name.
    Secret(String),
    /// The parameter with this name.
    Parameter(String),
}

impl SecretSpec {
    /// As a task definition names it.
    pub(crate) fn value_from(&self) -> String {
        match self {
            Self::Secret(name) => format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}"),
            Self::Parameter(name) => name.clone(),
        }
    }
}

/// What ECR knows of a version's image. Nothing is pulled: a task is a process.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageSpec {
    /// Whether it was pushed at all.
    #[serde(default = "yes")]
    pub pushed: bool,
    /// What its scan found, by severity; never scanned when missing.
    #[serde(default)]
    pub findings: Option<BTreeMap<FindingSeverity, u32>>,
}

impl Default for ImageSpec {
    fn default() -> Self {
        Self { pushed: true, findings: None }
    }
}

/// How bad a finding is, in ECR's words.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub enum FindingSeverity {
    /// `CRITICAL`.
    Critical,
    /// `HIGH`.
    High,
    /// `MEDIUM`.
    Medium,
    /// `LOW`.
    Low,
    /// `INFORMATIONAL`.
    Informational,
    /// `UNDEFINED`.
    Undefined,
}

impl FindingSeverity {
    /// ECR's word.
    pub const fn ecr(self) -> &'static str {
        match self {
            Self::Critical => "CRITICAL",
            Self::High => "HIGH",
            Self::Medium => "MEDIUM",
            Self::Low => "LOW",
            Self::Informational => "INFORMATIONAL",
            Self::Undefined => "UNDEFINED",
        }
    }
}

fn available() -> String {
    "available".to_owned()
}
fn name() -> String {
    "orders".to_owned()
}
fn cluster() -> String {
    "shop".to_owned()
}
fn port_variable() -> String {
    "PORT".to_owned()
}
fn database_variable() -> String {
    "DATABASE_URL".to_owned()
}
fn health() -> String {
    "/health".to_owned()
}
fn ok() -> String {
    "200".to_owned()
}
fn yes() -> bool {
    true
}
fn two() -> u32 {
    2
}
fn three() -> u32 {
    3
}
fn minute() -> Span {
    Span::new(std::time::Duration::from_secs(60))
}
fn half_a_minute() -> Span {
    Span::new(std::time::Duration::from_secs(30))
}
fn five_seconds() -> Spanned<Span> {
    let nowhere = Location::UNKNOWN;
    Spanned { value: Span::new(std::time::Duration::from_secs(5)), referenced: nowhere, defined: nowhere }
}

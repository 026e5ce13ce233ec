//! The service of a scenario and its two versions.

use std::collections::BTreeMap;
use std::path::PathBuf;

use greenlight::document::Spanned;
use greenlight::units::Span;
use serde::Deserialize;

/// The service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSpec {
    /// Its name.
    #[serde(default = "name")]
    pub name: String,
    /// Its cluster.
    #[serde(default = "cluster")]
    pub cluster: String,
    /// How many tasks.
    #[serde(default = "two")]
    pub desired_count: u32,
    /// A shell command that starts one task of either version; the sample service when missing.
    #[serde(default)]
    pub command: Option<String>,
    /// The environment variable that tells a task its port.
    #[serde(default = "port_variable")]
    pub port_variable: String,
    /// The environment variable that tells a task its database.
    #[serde(default = "database_variable")]
    pub database_variable: String,
    /// Whether there is a PostgreSQL for it.
    #[serde(default = "yes")]
    pub database: bool,
    /// A folder of migrations with sqlx's names; the sample service's when missing.
    #[serde(default)]
    pub migrations: Option<Spanned<PathBuf>>,
    /// The last migration that is applied before the deployment begins: blue's schema. The first when missing.
    #[serde(default)]
    pub migrated_to: Option<i64>,
    /// The load balancer's health check.
    #[serde(default)]
    pub health_check: HealthCheckSpec,
    /// How long a deregistered target may finish its requests.
    #[serde(default = "minute")]
    pub deregistration_delay: Span,
    /// How long after a task's start failed health checks do not stop it.
    #[serde(default = "minute")]
    pub health_check_grace_period: Span,
}

impl Default for ServiceSpec {
    fn default() -> Self {
        greenlight::document::parse("{}", "the defaults").expect("every key has a default")
    }
}

/// The load balancer's health check.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthCheckSpec {
    /// Path.
    #[serde(default = "health")]
    pub path: String,
    /// Between two checks of one target.
    #[serde(default = "half_a_minute")]
    pub interval: Span,
    /// Until a check counts as failed.
    #[serde(default = "five_seconds")]
    pub timeout: Span,
    /// Good answers in a row until healthy.
    #[serde(default = "two")]
    pub healthy: u32,
    /// Bad answers in a row until unhealthy.
    #[serde(default = "three")]
    pub unhealthy: u32,
    /// Codes that count as good.
    #[serde(default = "ok")]
    pub matcher: String,
}

impl Default for HealthCheckSpec {
    fn default() -> Self {
        greenlight::document::parse("{}", "the defaults").expect("every key has a default")
    }
}

/// One version of the service.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// A shell command that starts one task; the service's when missing.
    #[serde(default)]
    pub command: Option<String>,
    /// Environment of the task. `VERSION` is 1 for blue and 2 for green unless it says otherwise.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
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
fn five_seconds() -> Span {
    Span::new(std::time::Duration::from_secs(5))
}

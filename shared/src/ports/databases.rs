//! Databases that RDS runs.

use async_trait::async_trait;

use crate::check::CannotTell;

/// A cluster or an instance of RDS, whichever has the identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// `cluster` or `instance`.
    pub kind: &'static str,
    /// Its identifier.
    pub identifier: String,
    /// `aurora-postgresql`, `postgres`, `mysql`, …
    pub engine: String,
    /// RDS's word for its state: a free text, `available`, `backing-up`, `failing-over`, …
    /// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html>
    pub status: String,
    /// The endpoint that leads to the writer: host and port; `None` while it is created.
    pub writer: Option<(String, u16)>,
}

/// RDS.
#[async_trait]
pub trait Databases: Send + Sync {
    /// The cluster with this identifier, else the instance; `None` where there is neither.
    async fn database(&self, identifier: &str) -> Result<Option<Database>, CannotTell>;
}

//! Databases that RDS runs.

use async_trait::async_trait;

use crate::check::CannotTell;
use crate::ports::Secret;

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
    /// The id with which IAM names it: `cluster-ABC`, `db-ABC`.
    pub resource_id: Option<String>,
    /// Whether IAM database authentication is switched on; `None` where RDS does not say.
    pub iam_authentication: Option<bool>,
    /// What its tag `greenlight:applications` says, where it has one.
    pub applications: Option<String>,
    /// The endpoint that leads to the writer: host and port; `None` while it is created.
    pub writer: Option<(String, u16)>,
}

/// RDS.
#[async_trait]
pub trait Databases: Send + Sync {
    /// The cluster with this identifier, else the instance; `None` where there is neither.
    async fn database(&self, identifier: &str) -> Result<Option<Database>, CannotTell>;

    /// A password for this user at this endpoint, good for a quarter of an hour: signed with the function's role, without a
    /// call. The endpoint must be RDS's own; a token for another name of it is refused.
    /// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html>
    async fn token(&self, endpoint: &(String, u16), user: &str) -> Result<Secret, CannotTell>;
}

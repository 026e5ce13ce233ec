//! What Secrets Manager and Systems Manager keep.

use std::fmt;

use async_trait::async_trait;

use crate::check::CannotTell;

/// Systems Manager parameters.
#[async_trait]
pub trait Parameters: Send + Sync {
    /// The value of this parameter, or `None` if there is none.
    async fn parameter(&self, name: &str) -> Result<Option<String>, CannotTell>;

    /// Those of these names (at most 50) that exist in this Region, the function's own when `None`. No value is read.
    async fn existing(&self, region: Option<&str>, names: &[String]) -> Result<Vec<String>, CannotTell>;
}

/// Secrets Manager.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The current value of this secret (name or ARN).
    async fn value(&self, secret: &str) -> Result<Secret, CannotTell>;

    /// What is known of this secret (name or ARN) without its value; `None` where there is none. An ARN is asked for in
    /// its own Region.
    async fn description(&self, secret: &str) -> Result<Option<SecretDescription>, CannotTell>;
}

/// A secret without its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretDescription {
    /// Whether it is about to be deleted: its value cannot be read any more.
    pub is_being_deleted: bool,
    /// Id and staging labels of each version.
    pub versions: Vec<(String, Vec<String>)>,
    /// The value of its tag [`TAG`](crate::secret_use::TAG).
    pub applications: Option<String>,
}

/// A secret. `Debug` and `Display` do not show it.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(…)")
    }
}

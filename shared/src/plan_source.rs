//! Where the plan comes from.

use async_trait::async_trait;

use crate::check::CannotTell;

/// Systems Manager parameters.
#[async_trait]
pub trait Parameters: Send + Sync {
    /// The value of this parameter, or `None` if there is none.
    async fn parameter(&self, name: &str) -> Result<Option<String>, CannotTell>;
}

//! Secrets Manager.

use async_trait::async_trait;

use super::Aws;
use super::failure::{explain, incomplete};
use crate::check::CannotTell;
use crate::ports::{Secret, Secrets};

const ACTION: &str = "secretsmanager:GetSecretValue";

#[async_trait]
impl Secrets for Aws {
    async fn value(&self, secret: &str) -> Result<Secret, CannotTell> {
        let value = self
            .secrets_manager()
            .get_secret_value()
            .secret_id(secret)
            .send()
            .await
            .map_err(|error| explain(ACTION, secret, &error))?;
        value.secret_string.map(Secret::new).ok_or_else(|| incomplete(ACTION, secret, "text (only a binary value)"))
    }
}

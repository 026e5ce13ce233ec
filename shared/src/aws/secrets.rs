//! Secrets Manager.

use async_trait::async_trait;

use super::Aws;
use super::failure::{code, explain, incomplete};
use crate::check::CannotTell;
use crate::ports::{Secret, SecretDescription, Secrets};
use crate::secret_use::TAG;

const ACTION: &str = "secretsmanager:GetSecretValue";

#[async_trait]
impl Secrets for Aws {
    async fn value(&self, secret: &str) -> Result<Secret, CannotTell> {
        let value = self.secrets_manager(None).get_secret_value().secret_id(secret).send().await.map_err(|error| {
            let explained = explain(ACTION, secret, &error);
            let remedy = match code(&error) {
                Some("ResourceNotFoundException") => {
                    "Create the secret, or correct its name in the plan; then redeploy."
                }
                Some("InvalidRequestException") => "Restore the secret if it is about to be deleted; then redeploy.",
                _ => return explained,
            };
            CannotTell { remedy: remedy.to_owned(), ..explained }
        })?;
        value.secret_string.map(Secret::new).ok_or_else(|| incomplete(ACTION, secret, "text (only a binary value)"))
    }

    async fn description(&self, secret: &str) -> Result<Option<SecretDescription>, CannotTell> {
        let region = secret.strip_prefix("arn:").and_then(|arn| arn.split(':').nth(2));
        let found = match self.secrets_manager(region).describe_secret().secret_id(secret).send().await {
            Ok(found) => found,
            Err(error) if code(&error) == Some("ResourceNotFoundException") => return Ok(None),
            Err(error) => return Err(explain("secretsmanager:DescribeSecret", secret, &error)),
        };
        Ok(Some(SecretDescription {
            is_being_deleted: found.deleted_date.is_some(),
            versions: found.version_ids_to_stages.unwrap_or_default().into_iter().collect(),
            applications: found.tags.into_iter().flatten().find(|tag| tag.key() == Some(TAG)).and_then(|tag| tag.value),
        }))
    }
}

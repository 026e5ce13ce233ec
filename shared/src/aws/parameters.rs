//! Systems Manager parameters: where a team may keep its plan.

use async_trait::async_trait;

use super::Aws;
use super::failure::{code, explain};
use crate::check::CannotTell;
use crate::plan_source::Parameters;

#[async_trait]
impl Parameters for Aws {
    async fn parameter(&self, name: &str) -> Result<Option<String>, CannotTell> {
        let answer = self.ssm().get_parameter().name(name).with_decryption(true).send().await;
        match answer {
            Ok(answer) => Ok(answer.parameter.and_then(|parameter| parameter.value)),
            Err(error) if code(&error) == Some("ParameterNotFound") => Ok(None),
            Err(error) => Err(explain("ssm:GetParameter", name, &error)),
        }
    }
}

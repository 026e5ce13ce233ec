//! Systems Manager parameters: where a team may keep its plan, and where tasks may have their configuration from.

use async_trait::async_trait;
use aws_sdk_ssm::types::ParameterStringFilter;

use super::Aws;
use super::failure::{code, explain, incomplete};
use crate::check::CannotTell;
use crate::ports::Parameters;

#[async_trait]
impl Parameters for Aws {
    async fn parameter(&self, name: &str) -> Result<Option<String>, CannotTell> {
        const ACTION: &str = "ssm:GetParameter";
        let answer = self.ssm(None).get_parameter().name(name).with_decryption(true).send().await;
        match answer {
            // An answer without a value is no parameter that does not exist: whoever took it for one would not ask what its plan asks.
            Ok(answer) => match answer.parameter.and_then(|parameter| parameter.value) {
                Some(value) => Ok(Some(value)),
                None => Err(incomplete(ACTION, name, "value")),
            },
            Err(error) if code(&error) == Some("ParameterNotFound") => Ok(None),
            Err(error) => Err(explain(ACTION, name, &error)),
        }
    }

    /// `DescribeParameters` gives no values, `GetParameters` does.
    async fn existing(&self, region: Option<&str>, names: &[String]) -> Result<Vec<String>, CannotTell> {
        const ACTION: &str = "ssm:DescribeParameters";
        let client = self.ssm(region);
        let by_name = ParameterStringFilter::builder().key("Name").option("Equals").set_values(Some(names.to_vec()));
        let by_name = by_name.build().map_err(|_| incomplete(ACTION, &names.join(", "), "key to look for"))?;
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let call = client.describe_parameters().parameter_filters(by_name.clone()).set_next_token(token);
            let page = call.send().await.map_err(|error| explain(ACTION, &names.join(", "), &error))?;
            found.extend(page.parameters.unwrap_or_default().into_iter().filter_map(|parameter| parameter.name));
            token = page.next_token;
            if token.is_none() {
                return Ok(found);
            }
        }
    }
}

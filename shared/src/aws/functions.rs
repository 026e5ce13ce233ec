//! Lambda: where an alias leads, and what one version of a function answers.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_lambda::config::{Builder, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_lambda::error::SdkError;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{InvocationType, LogType};
use tokio::time::Instant;

use super::Aws;
use super::failure::{code, explain, incomplete};
use crate::check::CannotTell;
use crate::deployment::Alias;
use crate::ports::{FunctionCall, Functions, Invoked};

/// A version that is not ready yet: it is being made, or its snapshot is.
const NOT_READY: [&str; 4] = [
    "ResourceConflictException",
    "ResourceNotReadyException",
    "SnapStartNotReadyException",
    "EFSMountConnectivityException",
];

#[async_trait]
impl Functions for Aws {
    async fn alias(&self, function: &str, alias: &str) -> Result<Alias, CannotTell> {
        const ACTION: &str = "lambda:GetAlias";
        let name = format!("{function}:{alias}");
        let ask = async {
            let call = self.lambda().get_alias().function_name(function).name(alias);
            let answer = call.send().await.map_err(|error| explain(ACTION, &name, &error))?;
            let version = answer.function_version.ok_or_else(|| incomplete(ACTION, &name, "version"))?;
            let weights = answer.routing_config.and_then(|routing| routing.additional_version_weights);
            let mut additional: Vec<(String, f64)> =
                weights.into_iter().flatten().map(|(version, weight)| (version, weight * 100.0)).collect();
            additional.retain(|(_, percent)| *percent > 0.0);
            additional.sort_by(|one, other| one.0.cmp(&other.0));
            Ok(Alias { version, additional })
        };
        self.aliases.or_ask(&name, ask).await
    }

    /// Never sent twice by the client: an event that was not answered may have done its work.
    async fn invoke(&self, call: FunctionCall) -> Result<Option<Invoked>, CannotTell> {
        let name = format!("{}:{}", call.function, call.version);
        let once = Builder::new().retry_config(RetryConfig::disabled()).timeout_config(patience(call.timeout));
        let begun = Instant::now();
        let request = self
            .lambda()
            .invoke()
            .function_name(&call.function)
            .qualifier(&call.version)
            .invocation_type(InvocationType::RequestResponse)
            .log_type(LogType::Tail)
            .payload(Blob::new(call.event))
            .customize()
            .config_override(once);
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(SdkError::TimeoutError(_)) => return Ok(None),
            Err(error) => {
                let mut cannot_tell = explain("lambda:InvokeFunction", &name, &error);
                cannot_tell.transient |= code(&error).is_some_and(|code| NOT_READY.contains(&code));
                // What did not get through to Lambda may be sent again, what broke on the way back may not.
                cannot_tell.transient &= matches!(error, SdkError::ServiceError(_) | SdkError::DispatchFailure(_));
                return Err(cannot_tell);
            }
        };
        let log = answer.log_result.and_then(|log| aws_smithy_types::base64::decode(log).ok()).unwrap_or_default();
        Ok(Some(Invoked {
            version: answer.executed_version,
            error: answer.function_error,
            payload: answer.payload.map(Blob::into_inner).unwrap_or_default(),
            log: String::from_utf8_lossy(&log).into_owned(),
            took: begun.elapsed(),
        }))
    }

    async fn send(&self, function: &str, event: String) -> Result<(), CannotTell> {
        let request = self.lambda().invoke().function_name(function).invocation_type(InvocationType::Event);
        let sent = request.payload(Blob::new(event)).send().await;
        sent.map(drop).map_err(|error| explain("lambda:InvokeFunction", function, &error))
    }
}

/// A function may take longer than any other call of a hook.
fn patience(limit: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().operation_attempt_timeout(limit).operation_timeout(limit).build()
}

//! The environment variables of a function.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use super::Settings;
use crate::world::REGION;
use crate::world::functions::{Function, SECRET_ACCESS_KEY};

/// Lambda's own, the function's, and where the AWS APIs are. Nothing of this process's environment: what a function needs
/// and Lambda does not give must be seen to be missing.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
///
/// `AWS_EXECUTION_ENV` is missing on purpose: OS-only runtimes such as `provided.al2023` do not have it.
pub(super) fn of(
    function: &Function,
    settings: &Settings,
    program: &Path,
    runtime_api: SocketAddr,
    log_stream: &str,
) -> BTreeMap<String, String> {
    let task_root = program.parent().unwrap_or(Path::new("/")).display().to_string();
    let configurable = [
        ("AWS_ENDPOINT_URL", settings.endpoint_url.clone()),
        ("AWS_LAMBDA_LOG_FORMAT", "Text".to_owned()),
        ("AWS_LAMBDA_LOG_LEVEL", "INFO".to_owned()),
        ("LANG", "en_US.UTF-8".to_owned()),
        ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin".to_owned()),
        ("TZ", ":UTC".to_owned()),
    ];
    let reserved = [
        ("AWS_ACCESS_KEY_ID", function.access_key.clone()),
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory_mib.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", function.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", function.version.clone()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", function.log_group()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", log_stream.to_owned()),
        ("AWS_LAMBDA_RUNTIME_API", runtime_api.to_string()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY.to_owned()),
        ("AWS_SESSION_TOKEN", "rehearsal".to_owned()),
        ("LAMBDA_RUNTIME_DIR", task_root.clone()),
        ("LAMBDA_TASK_ROOT", task_root),
        ("_HANDLER", "bootstrap".to_owned()),
    ];
    let own = |(name, value): (&str, String)| (name.to_owned(), value);
    let mut variables: BTreeMap<String, String> = configurable.into_iter().map(own).collect();
    variables.extend(function.environment.clone());
    variables.extend(reserved.into_iter().map(own));
    variables
}

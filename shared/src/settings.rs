//! What the function itself needs from its environment, read once and in one place.

use std::env;
use std::fmt;

use crate::ports::Secret;

/// The environment of the function.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `AWS_REGION`.
    pub region: Option<String>,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`: Lambda sets them from the role.
    pub credentials: Option<Credentials>,
    /// `AWS_LAMBDA_FUNCTION_NAME`: its own name.
    pub function: Option<String>,
    /// `AWS_ENDPOINT_URL`: where AWS is, when it is not AWS.
    pub endpoint: Option<String>,
    /// `AWS_CA_BUNDLE`: file with the only roots that AWS endpoints may chain to.
    pub aws_roots: Option<String>,
    /// `GREENLIGHT_CA_BUNDLE`: file with further roots that load balancers may chain to.
    pub extra_roots: Option<String>,
    /// `GREENLIGHT_PLAN`: the plan of every deployment that has none of its own.
    pub plan: Option<String>,
    /// `AWS_LAMBDA_LOG_FORMAT`: whether log lines are JSON.
    pub log_json: bool,
    /// `AWS_LAMBDA_LOG_LEVEL`.
    pub log_level: Option<String>,
}

/// Keys of the function's role.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Public part.
    pub key_id: String,
    /// Secret part.
    pub secret_key: Secret,
    /// Token of the session.
    pub session_token: Option<Secret>,
}

/// The environment lacks what every hook needs.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct SettingsError {
    /// Names of the variables.
    pub missing: Vec<&'static str>,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "the function's environment lacks {}; Lambda sets them from the function's role",
            self.missing.join(", ")
        )
    }
}

impl Settings {
    /// Reads the process's environment. An empty variable counts as absent.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn from_environment() -> Self {
        Self::from_variables(|name| env::var(name).ok())
    }

    /// As [`Self::from_environment`], from any source of variables.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let keys = variable("AWS_ACCESS_KEY_ID").zip(variable("AWS_SECRET_ACCESS_KEY"));
        Self {
            region: variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")),
            credentials: keys.map(|(key_id, secret_key)| Credentials {
                key_id,
                secret_key: Secret::new(secret_key),
                session_token: variable("AWS_SESSION_TOKEN").map(Secret::new),
            }),
            function: variable("AWS_LAMBDA_FUNCTION_NAME"),
            endpoint: variable("AWS_ENDPOINT_URL"),
            aws_roots: variable("AWS_CA_BUNDLE"),
            extra_roots: variable("GREENLIGHT_CA_BUNDLE"),
            plan: variable("GREENLIGHT_PLAN"),
            log_json: variable("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json")),
            log_level: variable("AWS_LAMBDA_LOG_LEVEL"),
        }
    }

    /// Region and credentials, or the names of the variables that are missing.
    pub fn identity(&self) -> Result<(&str, &Credentials), SettingsError> {
        match (&self.region, &self.credentials) {
            (Some(region), Some(credentials)) => Ok((region, credentials)),
            (region, credentials) => {
                let mut missing = Vec::new();
                if region.is_none() {
                    missing.push("AWS_REGION");
                }
                if credentials.is_none() {
                    missing.extend(["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]);
                }
                Err(SettingsError { missing })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_absent_and_every_missing_one_is_named() {
        let settings = Settings::from_variables(|name| (name == "AWS_REGION").then(String::new));
        let error = settings.identity().map(|_| ()).unwrap_err();
        assert_eq!(error.missing, ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]);
    }

    #[test]
    fn keys_are_not_shown_when_settings_are_printed() {
        let settings = Settings::from_variables(|name| Some(format!("value-of-{name}")));
        let printed = format!("{settings:?}");
        assert!(!printed.contains("value-of-AWS_SECRET_ACCESS_KEY"), "{printed}");
        assert!(!printed.contains("value-of-AWS_SESSION_TOKEN"), "{printed}");
    }
}

//! The Lambda function of a scenario.

use greenlight::units::Span;
use schemars::JsonSchema;
use serde::Deserialize;

use super::rules;

/// A function that is deployed behind an alias. `blue` and `green` are its versions 1 and 2.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FunctionSpec {
    /// Its name.
    #[serde(default = "name", deserialize_with = "rules::function_name")]
    pub name: String,
    /// The alias that users invoke.
    #[serde(default = "alias", deserialize_with = "rules::function_name")]
    pub alias: String,
    /// A shell command that is the `bootstrap` of either version: a program that speaks the Runtime API.
    #[serde(default, deserialize_with = "rules::command")]
    pub command: Option<String>,
    /// Timeout, in real time.
    #[serde(default, deserialize_with = "rules::function_timeout")]
    pub timeout: Option<Span>,
    /// Memory in MiB.
    #[serde(default, deserialize_with = "rules::memory")]
    pub memory: Option<u32>,
    /// Somebody's infrastructure code puts the alias back on blue's version as soon as the shift is over.
    #[serde(default)]
    pub alias_is_put_back: bool,
}

fn name() -> String {
    "orders".to_owned()
}
fn alias() -> String {
    "live".to_owned()
}

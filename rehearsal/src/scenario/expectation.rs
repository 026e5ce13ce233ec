//! What must come of a scenario.

use greenlight::document::Spanned;
use schemars::JsonSchema;
use serde::Deserialize;

use super::rules;

use crate::world::services::Colour;

/// What must come of a scenario; a key that is missing is not looked at.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// How the deployment ends.
    #[serde(default)]
    pub status: Option<ExpectedStatus>,
    /// The lifecycle event at which it ends.
    #[serde(default, deserialize_with = "rules::event")]
    pub ends_at: Option<String>,
    /// Who has all of production at the end.
    #[serde(default)]
    pub production: Option<ExpectedColour>,
    /// Whether CodeDeploy rolls back.
    #[serde(default)]
    pub rolled_back: Option<bool>,
    /// Lost production requests, exactly.
    #[serde(default)]
    pub lost: Option<u64>,
    /// Lost production requests at most, in percent of all that were sent.
    #[serde(default)]
    pub lost_at_most: Option<greenlight::units::Percent>,
    /// The longest that a production request waited for its answer, at most, in real time.
    #[serde(default)]
    pub longest_answer: Option<greenlight::units::Span>,
    /// Share of production that green answered while the canary lasted.
    #[serde(default)]
    pub canary_share: Option<greenlight::units::Percent>,
    /// Versions of the migrations that are recorded at the end.
    #[serde(default)]
    pub migrations: Option<Spanned<Vec<i64>>>,
    /// Words that the transcript must contain.
    #[serde(default)]
    pub says: Vec<String>,
}

/// How a deployment can end.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
pub enum ExpectedStatus {
    /// Green is deployed.
    Succeeded,
    /// Something failed.
    Failed,
    /// A person or an alarm stopped it.
    Stopped,
}

impl ExpectedStatus {
    /// As CodeDeploy writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Stopped => "Stopped",
        }
    }

    /// Whether it is this status, of CodeDeploy or of ECS. ECS knows no failure but one: what is not successful went back or
    /// was stopped.
    pub fn is(self, status: &str) -> bool {
        let went_back = status.starts_with("ROLLBACK_");
        match self {
            Self::Succeeded => ["Succeeded", "SUCCESSFUL"].contains(&status),
            Self::Failed => status == "Failed" || went_back,
            Self::Stopped => ["Stopped", "STOPPED"].contains(&status) || went_back,
        }
    }
}

/// Blue or green.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedColour {
    Blue,
    Green,
}

impl ExpectedColour {
    /// The world's word.
    pub fn colour(self) -> Colour {
        match self {
            Self::Blue => Colour::Blue,
            Self::Green => Colour::Green,
        }
    }
}

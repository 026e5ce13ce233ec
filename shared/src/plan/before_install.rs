//! What is asked before anything is started.

use std::fmt;

use serde::Deserialize;

/// What is asked before anything is started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BeforeInstall {
    /// Of the images.
    #[serde(default)]
    pub images: Images,
}

/// What is asked of the images.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Images {
    /// The worst finding of a scan that may be. Without it findings are not asked for.
    #[serde(default)]
    pub max_severity: Option<ImageSeverity>,
}

/// How bad a finding is, mildest first. `critical` is no limit: nothing is above it.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageScanFinding.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ImageSeverity {
    /// No finding at all may be.
    None,
    /// Worth knowing.
    Informational,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    #[serde(skip_deserializing)]
    Critical,
}

impl ImageSeverity {
    /// ECR's word; `None` for `UNDEFINED` and `UNTRIAGED`, of which nobody knows how bad they are.
    pub fn of_ecr(word: &str) -> Option<Self> {
        Some(match word {
            "INFORMATIONAL" => Self::Informational,
            "LOW" => Self::Low,
            "MEDIUM" => Self::Medium,
            "HIGH" => Self::High,
            "CRITICAL" => Self::Critical,
            _ => return None,
        })
    }
}

impl fmt::Display for ImageSeverity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::None => "none",
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}

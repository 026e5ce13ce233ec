//! A deployment of CodeDeploy's Lambda platform: traffic moves from one version of a function to another, behind an alias.

use std::fmt;

use super::{AlarmConfiguration, AutoRollback, DeploymentId, Rollback};

/// One deployment of one function's alias, as it stands when the hook is called.
#[derive(Clone, Debug)]
pub struct FunctionDeployment {
    /// Its id.
    pub id: DeploymentId,
    /// CodeDeploy application.
    pub application: String,
    /// CodeDeploy deployment group.
    pub group: String,
    /// Name of the deployment configuration, for example `CodeDeployDefault.LambdaCanary10Percent5Minutes`.
    pub config: String,
    /// Who started it: `user`, `codeDeployRollback`, `CloudFormation`, …
    pub creator: String,
    /// CodeDeploy's word for its state: `InProgress`, `Stopped`, …
    pub status: String,
    /// Set when this deployment leads back to an older version.
    pub rollback: Option<Rollback>,
    /// What CodeDeploy does when the deployment fails.
    pub auto_rollback: AutoRollback,
    /// The alarms that stop the deployment: the group's, or the deployment's override.
    pub alarms: AlarmConfiguration,
    /// Lifecycle events that CodeDeploy reports as in progress right now.
    pub events_in_progress: Vec<String>,
    /// The function, its alias and the two versions.
    pub shift: VersionShift,
    /// Share of production traffic on the target version in percent, as CodeDeploy reports it; `None` when it does not say.
    pub target_percent: Option<f64>,
}

/// Which versions of which alias change places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionShift {
    /// The function's name.
    pub function: String,
    /// The alias that users invoke.
    pub alias: String,
    /// The version that serves production when the deployment starts.
    pub current: String,
    /// The version that is being deployed.
    pub target: String,
}

impl VersionShift {
    /// `orders:live`: what users invoke.
    pub fn invoked(&self) -> String {
        format!("{}:{}", self.function, self.alias)
    }

    /// Version numbers only grow: a lower one than the one that serves is a way back, whoever started it.
    pub(crate) fn manual_rollback(&self) -> Option<Rollback> {
        let number = |version: &str| version.parse::<u64>().ok();
        let back = number(&self.target)? < number(&self.current)?;
        back.then(|| Rollback::Manual {
            from: format!("{}:{}", self.function, self.current),
            to: format!("{}:{}", self.function, self.target),
        })
    }
}

/// Where an alias leads: one version, and at most one more with a share of its own.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_AliasRoutingConfiguration.html>
#[derive(Clone, Debug, PartialEq)]
pub struct Alias {
    /// The version that gets what the others leave.
    pub version: String,
    /// Further versions, each with its share in percent, all above zero.
    pub additional: Vec<(String, f64)>,
}

impl Alias {
    /// Whether every invocation gets this version.
    pub fn leads_only_to(&self, version: &str) -> bool {
        self.version == version && self.additional.is_empty()
    }
}

/// `version 2`, or `90 % to version 1 and 10 % to version 2`.
impl fmt::Display for Alias {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.additional.is_empty() {
            return write!(out, "version {}", self.version);
        }
        let rest = 100.0 - self.additional.iter().map(|(_, percent)| percent).sum::<f64>();
        write!(out, "{} % to version {}", rounded(rest), self.version)?;
        self.additional
            .iter()
            .try_for_each(|(version, percent)| write!(out, " and {} % to version {version}", rounded(*percent)))
    }
}

/// A percentage with one decimal at most: CodeDeploy's weights are fractions that add up to almost one.
fn rounded(percent: f64) -> f64 {
    (percent * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shift(current: &str, target: &str) -> VersionShift {
        let text = |text: &str| text.to_owned();
        VersionShift { function: text("orders"), alias: text("live"), current: text(current), target: text(target) }
    }

    #[test]
    fn a_lower_version_is_a_way_back() {
        let back = Rollback::Manual { from: "orders:10".to_owned(), to: "orders:9".to_owned() };
        assert_eq!(shift("10", "9").manual_rollback(), Some(back));
        assert_eq!(shift("9", "10").manual_rollback(), None);
        assert_eq!(shift("9", "9").manual_rollback(), None);
        assert_eq!(shift("$LATEST", "9").manual_rollback(), None);
    }

    #[test]
    fn an_alias_tells_its_shares() {
        let alias = Alias { version: "1".to_owned(), additional: vec![("2".to_owned(), 100.0 * 0.1)] };
        assert_eq!(alias.to_string(), "90 % to version 1 and 10 % to version 2");
        assert!(!alias.leads_only_to("1"));
        assert_eq!(Alias { version: "2".to_owned(), additional: Vec::new() }.to_string(), "version 2");
    }
}

//! From the answers of AWS to a [`FunctionDeployment`].

use super::{DiscoveryError, Group, Record};
use crate::appspec::FunctionAppSpec;
use crate::deployment::{FunctionDeployment, VersionShift};

/// What the target of a Lambda deployment says. Every member may be missing.
/// <https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_LambdaFunctionInfo.html>
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FunctionTarget {
    /// Lifecycle events in progress.
    pub events_in_progress: Vec<String>,
    /// The function's name.
    pub function: Option<String>,
    /// Its alias.
    pub alias: Option<String>,
    /// The version that the alias led to when the deployment began.
    pub current: Option<String>,
    /// The version that is being deployed.
    pub target: Option<String>,
    /// Share of production traffic on the target version in percent.
    pub target_percent: Option<f64>,
}

impl FunctionTarget {
    /// What is shifted, where the target says all of it.
    pub fn shift(&self) -> Option<VersionShift> {
        let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Some(VersionShift {
            function: name(&said(&self.function)?).to_owned(),
            alias: said(&self.alias)?,
            current: said(&self.current)?,
            target: said(&self.target)?,
        })
    }
}

impl From<FunctionAppSpec> for VersionShift {
    fn from(spec: FunctionAppSpec) -> Self {
        Self {
            function: name(&spec.function).to_owned(),
            alias: spec.alias,
            current: spec.current_version,
            target: spec.target_version,
        }
    }
}

/// Puts the answers together.
pub fn assemble_function(
    record: Record,
    group: Group,
    target: FunctionTarget,
    shift: VersionShift,
) -> FunctionDeployment {
    FunctionDeployment {
        rollback: record.automatic_rollback().or_else(|| shift.manual_rollback()),
        auto_rollback: record.settings.auto_rollback.or(group.settings.auto_rollback).unwrap_or_default(),
        alarms: record.override_alarms.unwrap_or(group.alarms),
        events_in_progress: target.events_in_progress,
        shift,
        target_percent: target.target_percent,
        id: record.id,
        application: record.application,
        group: record.group,
        config: record.config,
        creator: record.creator,
        status: record.status,
    }
}

/// The AppSpec of a function in this content, which must have this SHA-256 where one is known.
pub fn function_app_spec(content: &str, sha256: Option<&str>, source: &str) -> Result<FunctionAppSpec, DiscoveryError> {
    super::same_digest(content, sha256)?;
    FunctionAppSpec::parse(content, source).map_err(DiscoveryError::AppSpec)
}

/// The name of a function that may be given by ARN.
fn name(function: &str) -> &str {
    match function.split_once(":function:") {
        Some((_, rest)) => rest.split(':').next().unwrap_or(rest),
        None => function,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::{AlarmConfiguration, Rollback};
    use crate::discovery::tests::record;

    fn target() -> FunctionTarget {
        let text = |text: &str| Some(text.to_owned());
        FunctionTarget {
            events_in_progress: vec!["BeforeAllowTraffic".to_owned()],
            function: text("arn:aws:lambda:eu-central-1:123456789012:function:orders"),
            alias: text("live"),
            current: text("41"),
            target: text("42"),
            target_percent: Some(0.0),
        }
    }

    #[test]
    fn a_target_that_lacks_something_tells_nothing() {
        assert_eq!(target().shift().map(|shift| shift.invoked()).as_deref(), Some("orders:live"));
        assert_eq!(FunctionTarget { current: None, ..target() }.shift(), None);
        assert_eq!(FunctionTarget { alias: Some(String::new()), ..target() }.shift(), None);
    }

    #[test]
    fn rollback_and_alarms_are_known_as_for_a_service() {
        let alarms =
            |name: &str| AlarmConfiguration { enabled: true, names: vec![name.to_owned()], ..Default::default() };
        let group = || Group { alarms: alarms("groups"), ..Group::default() };
        let shift = || target().shift().expect("it says all");
        let found = assemble_function(record(), group(), target(), shift());
        assert_eq!((found.rollback, found.alarms.names), (None, vec!["groups".to_owned()]));
        let record =
            Record { creator: "codeDeployRollback".to_owned(), override_alarms: Some(alarms("own")), ..record() };
        let found = assemble_function(record, group(), target(), shift());
        assert_eq!(found.rollback, Some(Rollback::Automatic { of: None }));
        assert_eq!(found.alarms.names, ["own"]);
    }
}

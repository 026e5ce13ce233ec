//! Reading the deployment's alarms once.

use super::words::{count, list, shortened, since};
use crate::check::{Answer, CannotTell, CheckContext};
use crate::ports::AlarmState;

/// What the alarms say.
pub(super) enum Reading {
    /// CodeDeploy watches none, and why.
    NoneWatched(String),
    /// One that CodeDeploy watches does not exist.
    Missing(Answer),
    /// At least one fires: which, since when, why.
    Firing(String),
    /// All exist and none fires.
    Quiet {
        /// Every alarm.
        alarms: Vec<AlarmState>,
        /// How many of them have no data.
        without_data: usize,
    },
}

/// Reads every alarm in force for this deployment.
pub(super) async fn read(context: &CheckContext) -> Result<Reading, CannotTell> {
    let watched = &context.deployment.alarms;
    if watched.names.is_empty() {
        return Ok(Reading::NoneWatched("no alarm is configured, so none will stop this deployment".to_owned()));
    }
    if !watched.enabled {
        let alarms = count(watched.names.len(), "alarm");
        return Ok(Reading::NoneWatched(format!(
            "{alarms} configured but switched off, so none will stop this deployment"
        )));
    }
    let alarms = context.ports.alarms.states(&watched.names).await?;
    let is_missing = |name: &&String| !alarms.iter().any(|alarm| alarm.name == **name);
    let missing: Vec<String> = watched.names.iter().filter(is_missing).cloned().collect();
    if !missing.is_empty() {
        return Ok(Reading::Missing(Answer::no(
            format!("CloudWatch has no alarm {}, which the deployment group watches", list(&missing)),
            "Create the alarm, or take its name out of the deployment group.",
        )));
    }
    let firing: Vec<String> = alarms
        .iter()
        .filter(|alarm| alarm.state == "ALARM")
        .map(|alarm| {
            format!("{} has been in ALARM since {}: {}", alarm.name, since(alarm.since), shortened(&alarm.reason))
        })
        .collect();
    if !firing.is_empty() {
        return Ok(Reading::Firing(firing.join("; ")));
    }
    let without_data = alarms.iter().filter(|alarm| alarm.state == "INSUFFICIENT_DATA").count();
    Ok(Reading::Quiet { alarms, without_data })
}

/// An alarm in this state since noon.
#[cfg(test)]
pub(super) fn alarm(name: &str, state: &str) -> AlarmState {
    AlarmState {
        name: name.to_owned(),
        state: state.to_owned(),
        reason: "Threshold Crossed: 1 datapoint [7.0] was greater than the threshold (5.0).".to_owned(),
        since: Some("2026-11-21T12:00:00Z".parse().expect("a time")),
    }
}

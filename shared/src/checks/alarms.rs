//! Reading the deployment's alarms once.

use super::proceed::{self, Leave};
use super::words::{count, list, shortened, since};
use crate::check::{Answer, CannotTell, CheckContext};
use crate::deployment::AnyDeployment;
use crate::ports::AlarmState;
use crate::report::words::one_line;

/// Characters that CloudWatch's reasons may take in a row, all together.
const REASONS: usize = 160;

/// What the alarms say.
pub(super) enum Reading {
    /// CodeDeploy watches none, and why.
    NoneWatched(String),
    /// One that CodeDeploy watches does not exist.
    Missing(Answer),
    /// At least one fires: which, since when, why; and why nothing lets the deployment go on.
    Firing(String),
    /// All exist, and none fires that nobody has allowed to.
    Quiet {
        /// Who lets the deployment go on although alarms fire, and which.
        allowed: Option<String>,
        /// Every alarm.
        alarms: Vec<AlarmState>,
        /// How many of them have no data.
        without_data: usize,
    },
}

/// Reads every alarm in force for this deployment.
pub(super) async fn read<D: AnyDeployment>(context: &CheckContext<D>) -> Result<Reading, CannotTell> {
    let (watched, terms) = (context.deployment.alarms(), context.deployment.terms());
    if watched.names.is_empty() {
        return Ok(Reading::NoneWatched("no alarm is configured, so none will stop this deployment".to_owned()));
    }
    if !watched.enabled {
        let alarms = count(watched.names.len(), "alarm");
        return Ok(Reading::NoneWatched(format!(
            "{alarms} configured but switched off, so none will stop this deployment"
        )));
    }
    let alarms = context.ports.alarms().states(&watched.names).await?;
    let is_missing = |name: &&String| !alarms.iter().any(|alarm| alarm.name == **name);
    let missing: Vec<String> = watched.names.iter().filter(is_missing).cloned().collect();
    if !missing.is_empty() {
        return Ok(Reading::Missing(Answer::no(
            format!("CloudWatch has no alarm {}, which {} watches", list(&missing), terms.settings),
            format!("Create the alarm, or take its name out of {}.", terms.settings),
        )));
    }
    let firing: Vec<&AlarmState> = alarms.iter().filter(|alarm| alarm.state == "ALARM").collect();
    let mut allowed = None;
    if !firing.is_empty() {
        let names: Vec<String> = firing.iter().map(|alarm| alarm.name.clone()).collect();
        let room = REASONS / firing.len();
        let seen: Vec<String> = firing.into_iter().map(|alarm| in_words(alarm, room)).collect();
        let seen = seen.join("; ");
        match proceed::leave(context, &names).await? {
            Leave::None => return Ok(Reading::Firing(seen)),
            Leave::Void(why) => return Ok(Reading::Firing(format!("{seen}; {why}"))),
            Leave::Given(by) => allowed = Some(format!("{by}; {} still watches, and {seen}", terms.mover)),
        }
    }
    let without_data = alarms.iter().filter(|alarm| alarm.state == "INSUFFICIENT_DATA").count();
    Ok(Reading::Quiet { allowed, alarms, without_data })
}

/// Which, since when, and why in CloudWatch's words.
fn in_words(alarm: &AlarmState, room: usize) -> String {
    let reason = one_line(&shortened(&alarm.reason), room);
    format!("{} has been in ALARM since {}: {reason}", alarm.name, since(alarm.since))
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

//! What AWS does not document of the deployments that ECS carries out: a switch each, listed in docs/limits.md.

use std::time::Duration;

/// The undocumented choices of one rehearsal.
#[derive(Clone, Debug)]
pub struct Switches {
    /// Whether hooks get the event that AWS's guide showed in 2025: what stands in `executionDetails` now stood at the top.
    pub flat_events: bool,
    /// Whether a hook that says no while traffic goes back makes the rollback fail. AWS does not say.
    pub hooks_can_fail_a_rollback: bool,
    /// Whether what a function returned in `hookDetails` is forgotten when its stage, or its step, is over. AWS says that it
    /// lasts for all invocations of the same hook in a deployment.
    pub hook_details_end_with_the_stage: bool,
    /// How often ECS looks at the alarms.
    pub looks_at_alarms_every: Duration,
    /// Whether a deployment ends for an alarm that fired before it began, or only for one that begins to.
    pub stops_for_alarms_that_fired_before: bool,
    /// How long a stage may take. AWS documents 24 hours.
    pub stage_timeout: Duration,
}

impl Switches {
    /// What a scenario gets that says nothing.
    pub const DEFAULT: Self = Self {
        flat_events: false,
        hooks_can_fail_a_rollback: false,
        hook_details_end_with_the_stage: false,
        looks_at_alarms_every: Duration::from_secs(10),
        stops_for_alarms_that_fired_before: false,
        stage_timeout: Duration::from_secs(24 * 3600),
    };
}

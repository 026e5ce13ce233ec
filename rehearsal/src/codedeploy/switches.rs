//! What AWS does not document: a switch each, listed in docs/limits.md. A belief would be worse than a choice.

use std::time::Duration;

/// The undocumented choices of one rehearsal.
#[derive(Clone, Debug)]
pub struct Switches {
    /// Whether a rollback deployment calls the AppSpec's functions. AWS does not say.
    pub hooks_on_rollback: bool,
    /// Whether green's target group is named by the production rule (weight 0) from Install on, so that its targets are
    /// checked; else they are `unused` until `AllowTestTraffic`.
    pub green_in_use_at_install: bool,
    /// Whether Install waits for `STEADY_STATE` (tasks healthy) or only for running tasks.
    pub install_waits_for_health: bool,
    /// How long Install waits for that.
    pub install_timeout: Duration,
    /// How often CodeDeploy looks at the alarms.
    pub looks_at_alarms_every: Duration,
    /// Whether CodeDeploy stops a deployment for an alarm that fired before it began, or only for one that begins to.
    pub stops_for_alarms_that_fired_before: bool,
    /// Whether CodeDeploy invokes hooks with `Event`: then Lambda sends the event of one that died to its on-failure destination.
    /// AWS does not say.
    pub invokes_hooks_with_event: bool,
    /// How long CodeDeploy waits for a hook's answer. AWS documents one hour.
    pub hook_timeout: Duration,
}

impl Switches {
    /// What a scenario gets that says nothing.
    pub const DEFAULT: Self = Self {
        hooks_on_rollback: false,
        green_in_use_at_install: true,
        install_waits_for_health: true,
        install_timeout: Duration::from_secs(3600),
        looks_at_alarms_every: Duration::from_secs(10),
        stops_for_alarms_that_fired_before: true,
        invokes_hooks_with_event: false,
        hook_timeout: Duration::from_secs(3600),
    };
}

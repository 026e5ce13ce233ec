//! The five lifecycle points greenlight stands at. Each hook binary is built for exactly one.

use std::fmt;

use crate::lifecycle_stage::LifecycleStage;

/// A lifecycle event of a deployment that calls a Lambda function: of an ECS service, and the last two of a function too.
/// The earlier is the lesser.
///
/// CodeDeploy's event does not say which one fired, so the stage is a constant of the binary.
/// <https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Before the green task set exists. Production and test listener forward to blue.
    BeforeInstall,
    /// Green runs; both listeners still forward to blue.
    AfterInstall,
    /// The test listener forwards to green, production to blue.
    AfterAllowTestTraffic,
    /// As before: the last moment at which every user is still on blue.
    BeforeAllowTraffic,
    /// All production traffic is on green; blue is kept until the termination wait ends.
    AfterAllowTraffic,
}

impl Stage {
    /// In the order in which CodeDeploy reaches them.
    pub const ALL: [Self; 5] = [
        Self::BeforeInstall,
        Self::AfterInstall,
        Self::AfterAllowTestTraffic,
        Self::BeforeAllowTraffic,
        Self::AfterAllowTraffic,
    ];

    /// Those of the Lambda platform, whose deployments install nothing and have no test traffic.
    pub const OF_FUNCTIONS: [Self; 2] = [Self::BeforeAllowTraffic, Self::AfterAllowTraffic];

    /// The name CodeDeploy uses in AppSpec files and `lifecycleEventName`.
    pub const fn event_name(self) -> &'static str {
        match self {
            Self::BeforeInstall => "BeforeInstall",
            Self::AfterInstall => "AfterInstall",
            Self::AfterAllowTestTraffic => "AfterAllowTestTraffic",
            Self::BeforeAllowTraffic => "BeforeAllowTraffic",
            Self::AfterAllowTraffic => "AfterAllowTraffic",
        }
    }

    /// The name of the hook's binary and package.
    pub const fn hook_name(self) -> &'static str {
        match self {
            Self::BeforeInstall => "before-install",
            Self::AfterInstall => "after-install",
            Self::AfterAllowTestTraffic => "after-allow-test-traffic",
            Self::BeforeAllowTraffic => "before-allow-traffic",
            Self::AfterAllowTraffic => "after-allow-traffic",
        }
    }

    /// Where ECS may call it in its own deployments. Of a canary and a linear deployment, `PRE_PRODUCTION_TRAFFIC_SHIFT` comes
    /// before every step.
    pub const fn native_stages(self) -> &'static [LifecycleStage] {
        use LifecycleStage as At;
        match self {
            Self::BeforeInstall => &[At::PreScaleUp],
            Self::AfterInstall => &[At::PostScaleUp],
            Self::AfterAllowTestTraffic => &[At::PostTestTrafficShift],
            Self::BeforeAllowTraffic => &[At::PreScaleUp, At::PreProductionTrafficShift],
            Self::AfterAllowTraffic => &[At::PreProductionTrafficShift, At::PostProductionTrafficShift],
        }
    }

    /// The stage with this lifecycle event name, exact case.
    pub fn from_event_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.event_name() == name)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.event_name())
    }
}

//! The stages of a deployment that ECS itself carries out, in its own words.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-how-it-works.html>

use std::fmt;

/// Where a service deployment stands. Blue is the source revision, green the target revision. The earlier is the lesser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LifecycleStage {
    /// More than one revision was active when the deployment began.
    ReconcileService,
    /// Green has no tasks yet.
    PreScaleUp,
    /// Green's tasks start.
    ScaleUp,
    /// Green's tasks run, and no listener forwards to them.
    PostScaleUp,
    /// Test traffic moves to green, or, in a rollback, back to blue.
    TestTrafficShift,
    /// Test traffic is on green.
    PostTestTrafficShift,
    /// Production traffic is about to move: of a canary and a linear deployment before every step.
    PreProductionTrafficShift,
    /// Production traffic moves to green, or, in a rollback, back to blue: of a canary and a linear deployment at every step.
    ProductionTrafficShift,
    /// All production traffic is on green.
    PostProductionTrafficShift,
    /// Both run; alarms are watched.
    BakeTime,
    /// Blue's tasks are stopped.
    CleanUp,
}

impl LifecycleStage {
    /// In the order in which ECS reaches them.
    pub const ALL: [Self; 11] = [
        Self::ReconcileService,
        Self::PreScaleUp,
        Self::ScaleUp,
        Self::PostScaleUp,
        Self::TestTrafficShift,
        Self::PostTestTrafficShift,
        Self::PreProductionTrafficShift,
        Self::ProductionTrafficShift,
        Self::PostProductionTrafficShift,
        Self::BakeTime,
        Self::CleanUp,
    ];

    /// ECS's name, for example `PRE_SCALE_UP`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReconcileService => "RECONCILE_SERVICE",
            Self::PreScaleUp => "PRE_SCALE_UP",
            Self::ScaleUp => "SCALE_UP",
            Self::PostScaleUp => "POST_SCALE_UP",
            Self::TestTrafficShift => "TEST_TRAFFIC_SHIFT",
            Self::PostTestTrafficShift => "POST_TEST_TRAFFIC_SHIFT",
            Self::PreProductionTrafficShift => "PRE_PRODUCTION_TRAFFIC_SHIFT",
            Self::ProductionTrafficShift => "PRODUCTION_TRAFFIC_SHIFT",
            Self::PostProductionTrafficShift => "POST_PRODUCTION_TRAFFIC_SHIFT",
            Self::BakeTime => "BAKE_TIME",
            Self::CleanUp => "CLEAN_UP",
        }
    }

    /// The stage of this name, exact case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }

    /// Whether a Lambda function may be named for it.
    pub const fn takes_functions(self) -> bool {
        !matches!(self, Self::ScaleUp | Self::BakeTime | Self::CleanUp)
    }

    /// Whether a hook that waits for a person may be named for it: not while traffic moves.
    pub const fn takes_pauses(self) -> bool {
        self.takes_functions() && !matches!(self, Self::TestTrafficShift | Self::ProductionTrafficShift)
    }
}

impl fmt::Display for LifecycleStage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

//! What a hook asks: its checks on each platform.

use std::error::Error;
use std::future::ready;
use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::check::{CannotTell, Check, CheckContext};
use crate::deployment::{AnyDeployment, Deployment, FunctionDeployment};
use crate::hook::LOOK_AGAIN;
use crate::plan::Plan;
use crate::ports::Ports;
use crate::report::traffic::Traffic;

/// Why the plan asks for what cannot be.
pub type PlanError = Box<dyn Error + Send + Sync>;

/// Checks, or what is wrong with the plan they are made from.
pub(crate) type Made<D> = Result<Vec<Box<dyn Check<D>>>, PlanError>;

/// Asks something and keeps nothing of it: whoever asks the same right after finds the answer.
pub type LookAhead<D> = for<'a> fn(&'a CheckContext<D>) -> BoxFuture<'a, ()>;

/// The checks of a hook about one kind of deployment, in the order in which they are reported.
#[derive(Debug)]
pub struct Checks<D: AnyDeployment = Deployment> {
    pub(crate) fixed: fn() -> Vec<Box<dyn Check<D>>>,
    pub(crate) planned: fn(&Plan) -> Made<D>,
    pub(crate) ahead: LookAhead<D>,
}

impl<D: AnyDeployment> Checks<D> {
    /// The same for every deployment: asked while the plan, which only says which of them advise, is looked up.
    pub fn fixed(fixed: fn() -> Vec<Box<dyn Check<D>>>) -> Self {
        Self { fixed, ..Self::none() }
    }

    /// Made from the plan.
    pub fn planned(planned: fn(&Plan) -> Made<D>) -> Self {
        Self { planned, ..Self::none() }
    }

    /// These, and behind them those that a plan shapes.
    pub fn and_planned(self, planned: fn(&Plan) -> Made<D>) -> Self {
        Self { planned, ..self }
    }

    /// These, and `ahead` asks what they will ask whatever the plan says, while it is looked up: they find a fresh answer.
    pub fn looking_ahead(self, ahead: LookAhead<D>) -> Self {
        Self { ahead, ..self }
    }

    /// No question at all.
    pub fn none() -> Self {
        Self { fixed: Vec::new, planned: |_| Ok(Vec::new()), ahead: |_| Box::pin(ready(())) }
    }
}

/// The checks of a hook on each of CodeDeploy's platforms.
#[derive(Debug)]
pub struct Questions {
    pub(crate) service: Checks,
    /// `None` at a stage that the deployment of a Lambda function does not have.
    pub(crate) function: Option<OfFunctions>,
}

/// What is asked about the deployment of a Lambda function. The way to its traffic is a pointer, so that Lambda's client is
/// only in the hooks that are called at such a deployment's stages.
#[derive(Debug)]
pub(crate) struct OfFunctions {
    pub(crate) checks: Checks<FunctionDeployment>,
    pub(crate) traffic: for<'a> fn(&'a CheckContext<FunctionDeployment>) -> BoxFuture<'a, Option<Traffic>>,
    /// Leaves an event for the hook itself: what it waits for may take longer than it can.
    pub(crate) call_again: CallAgain,
}

/// Leaves an event for a function.
pub(crate) type CallAgain = for<'a> fn(&'a Ports, &'a str, String) -> BoxFuture<'a, Result<(), CannotTell>>;

impl Questions {
    /// At a stage that deployments of ECS services and of Lambda functions have.
    pub fn of_both(service: Checks, function: Checks<FunctionDeployment>) -> Self {
        Self { service, function: Some(OfFunctions { checks: function, traffic: traffic_of, call_again }) }
    }
}

/// At a stage that only services have.
impl From<Checks> for Questions {
    fn from(service: Checks) -> Self {
        Self { service, function: None }
    }
}

fn call_again<'a>(ports: &'a Ports, function: &'a str, event: String) -> BoxFuture<'a, Result<(), CannotTell>> {
    Box::pin(async move { ports.functions().send(function, event).await })
}

/// Where the alias leads now; `None` when nobody says so in time.
fn traffic_of(context: &CheckContext<FunctionDeployment>) -> BoxFuture<'_, Option<Traffic>> {
    Box::pin(async {
        let shift = &context.deployment.shift;
        let asked = AssertUnwindSafe(context.ports.functions().alias(&shift.function, &shift.alias)).catch_unwind();
        let to = tokio::time::timeout(LOOK_AGAIN, asked).await.ok()?.ok()?.ok()?;
        Some(Traffic::Alias { invoked: shift.invoked(), to })
    })
}

//! What each hook was asked and said, and what it asked of AWS.

use std::collections::{BTreeMap, BTreeSet};

use greenlight::lifecycle_stage::LifecycleStage;
use serde::Serialize;
use serde_json::Value;

use crate::wire::Call;
use crate::world::State;
use crate::world::functions::{Invocation, InvocationStatus};

/// One invocation of a function.
#[derive(Clone, Debug, Serialize)]
pub struct HookOutcome {
    /// Function.
    pub function: String,
    /// The deployment it was asked about: id, or ARN.
    pub deployment: Option<String>,
    /// The lifecycle event, or the stage, at which it was called.
    pub event: Option<&'static str>,
    /// `returned`, `errored`, `timed-out`, `out-of-memory`, `crashed`, `not-invokable` or `unfinished`.
    pub ended: &'static str,
    /// `go` or `stop`, as greenlight's hooks report it; `None` for other functions.
    pub verdict: Option<String>,
    /// The line that alone is enough for the person on call.
    pub first_line: Option<String>,
    /// The function's result where it is a JSON object: the whole report, row by row.
    pub report: Option<Value>,
    /// Whether its process was started for it.
    pub cold: bool,
    /// Process start to first event, in real milliseconds.
    pub init_ms: Option<u64>,
    /// The invocation itself, in real milliseconds.
    pub took_ms: Option<u64>,
    /// Most memory its process used, in bytes.
    pub peak_memory: Option<u64>,
}

/// How often each caller called each `service:operation`; a person's own calls are those of `anybody`.
pub type CallCounts = BTreeMap<String, BTreeMap<String, u64>>;

/// By function: the resources that it needed, by IAM action.
pub type Permissions = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// The caller of calls that no function made.
const ANYBODY: &str = "anybody";

/// Every invocation of a hook, oldest first.
pub(super) fn all(state: &State) -> Vec<HookOutcome> {
    let of_a_hook = |invocation: &&Invocation| {
        let function = state.version(&invocation.function, &invocation.version);
        function.is_none_or(|function| function.colour.is_none())
    };
    state.invocations.iter().filter(of_a_hook).map(|invocation| HookOutcome::of(invocation, state)).collect()
}

/// Counts the calls of the endpoint's log.
pub fn count(calls: &[Call]) -> CallCounts {
    let mut counts = CallCounts::new();
    for call in calls {
        let caller = call.caller.clone().unwrap_or_else(|| ANYBODY.to_owned());
        let operation = format!("{}:{}", call.service, call.operation);
        *counts.entry(caller).or_default().entry(operation).or_default() += 1;
    }
    counts
}

/// What the functions of the endpoint's log had to be allowed.
pub fn needed(calls: &[Call]) -> Permissions {
    let mut permissions = Permissions::new();
    for call in calls {
        let Some(caller) = &call.caller else { continue };
        let of_caller = permissions.entry(caller.clone()).or_default();
        for needed in &call.needed {
            of_caller.entry(needed.action.clone()).or_default().insert(needed.resource.clone());
        }
    }
    permissions
}

impl HookOutcome {
    fn of(invocation: &Invocation, state: &State) -> Self {
        let payload: Option<Value> = serde_json::from_str(&invocation.payload).ok();
        let field = |name: &str| Some(payload.as_ref()?.get(name)?.as_str()?.to_owned());
        let (deployment, execution) = (field("DeploymentId"), field("LifecycleEventHookExecutionId"));
        let record = deployment.as_deref().and_then(|id| state.codedeploy.deployment(id));
        let event = record.and_then(|it| it.events.iter().find(|event| event.hook_execution_id == execution));
        let stage = field("lifecycleStage").and_then(|name| LifecycleStage::named(&name)).map(LifecycleStage::name);
        let report = match &invocation.status {
            InvocationStatus::Returned(result) => serde_json::from_str(result).ok().filter(Value::is_object),
            _ => None,
        };
        let first_line = invocation.log.iter().find_map(|line| first_line(line));
        let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            function: invocation.function.clone(),
            event: event.map(|event| event.name).or(stage),
            deployment: deployment.or_else(|| field("resourceArn")),
            ended: ended(&invocation.status),
            verdict: first_line.as_deref().and_then(|it| Some(it.split_whitespace().next()?.to_lowercase())),
            first_line,
            report,
            cold: invocation.cold,
            init_ms: invocation.init.map(millis),
            took_ms: invocation.took.map(millis),
            peak_memory: invocation.peak_memory,
        }
    }
}

/// The report's first line, without the level that the log puts before it.
fn first_line(logged: &str) -> Option<String> {
    let line = logged.split_once(' ').map_or(logged, |(_level, rest)| rest).trim();
    (line.starts_with("GO  ") || line.starts_with("STOP  ")).then(|| line.to_owned())
}

fn ended(status: &InvocationStatus) -> &'static str {
    match status {
        InvocationStatus::Returned(_) => "returned",
        InvocationStatus::Errored(_) => "errored",
        InvocationStatus::TimedOut => "timed-out",
        InvocationStatus::OutOfMemory => "out-of-memory",
        InvocationStatus::Crashed(_) => "crashed",
        InvocationStatus::NotInvokable(_) => "not-invokable",
        InvocationStatus::Queued | InvocationStatus::Running => "unfinished",
    }
}

//! Faults strike before the answer: counted down, by caller and operation.

use std::time::Duration;

use http::StatusCode;

use super::refusal::Refusal;
use super::request::Protocol;
use crate::world::World;
use crate::world::faults::{Fault, FaultKind};

/// What a fault does to a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Strike {
    Refuse(FaultKind),
    Deny,
    Delay(Duration),
    Hang,
    Reset,
    Garbage,
    Empty,
    Truncate,
    Retype,
}

/// The first fault for this call, counted down. A fault names `Operation`, or `service:Operation`.
pub(crate) fn strike(world: &World, caller: Option<&str>, service: &str, operation: &str) -> Option<Strike> {
    let matches = |fault: &Fault| {
        let named = fault.operation == operation
            || fault.operation.split_once(':').is_some_and(|(its, name)| its == service && name == operation);
        named && fault.times != Some(0) && (fault.caller.is_none() || fault.caller.as_deref() == caller)
    };
    // Most calls are struck by nothing: they must not wake everybody who waits for a change.
    world.read(|state| state.faults.iter().any(matches)).then_some(())?;
    let kind = world.update(|state| {
        let passes = |fault: &mut Fault| {
            let passes = fault.after > 0;
            fault.after = fault.after.saturating_sub(1);
            passes
        };
        let place = state.faults.iter_mut().position(|fault| matches(fault) && !passes(fault))?;
        let fault = &mut state.faults[place];
        let kind = fault.kind.clone();
        if let Some(times) = &mut fault.times {
            *times -= 1;
            if *times == 0 {
                state.faults.remove(place);
            }
        }
        Some(kind)
    })?;
    Some(match kind {
        FaultKind::AccessDenied => Strike::Deny,
        FaultKind::Reset => Strike::Reset,
        FaultKind::Hang => Strike::Hang,
        FaultKind::Delay(delay) => Strike::Delay(delay),
        FaultKind::Garbage => Strike::Garbage,
        FaultKind::Empty => Strike::Empty,
        FaultKind::Truncated => Strike::Truncate,
        FaultKind::WrongType => Strike::Retype,
        kind => Strike::Refuse(kind),
    })
}

/// The error of a fault that answers with one, as the protocol's services word it.
pub(crate) fn refusal(kind: &FaultKind, protocol: Protocol) -> Refusal {
    let modern = protocol.is_modern();
    let either = |new: &'static str, old: &'static str| if modern { new } else { old };
    let client_status = if modern { StatusCode::BAD_REQUEST } else { StatusCode::FORBIDDEN };
    match kind {
        FaultKind::ExpiredToken => Refusal::new(
            either("ExpiredTokenException", "ExpiredToken"),
            "The security token included in the request is expired",
        )
        .with_status(client_status),
        FaultKind::Throttled if protocol == Protocol::RestXml => {
            Refusal::new("SlowDown", "Please reduce your request rate.").with_status(StatusCode::SERVICE_UNAVAILABLE)
        }
        FaultKind::Throttled => Refusal::new(either("ThrottlingException", "Throttling"), "Rate exceeded"),
        FaultKind::Unavailable => {
            Refusal::new("ServiceUnavailable", "The service is unavailable. Please try again shortly.")
                .with_status(StatusCode::SERVICE_UNAVAILABLE)
        }
        _ => Refusal::new("InternalFailure", "The request processing has failed because of an unknown error")
            .with_status(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn world_with(caller: Option<&str>, operation: &str, kind: FaultKind, times: Option<u32>) -> World {
        let world = World::new(Clock::new());
        let (caller, operation) = (caller.map(str::to_owned), operation.to_owned());
        let fault = Fault { caller, operation, kind, after: 0, times };
        world.update(|state| state.faults.push(fault));
        world
    }

    #[tokio::test]
    async fn a_fault_strikes_as_often_as_it_says_and_is_gone() {
        let world = world_with(None, "GetDeployment", FaultKind::Throttled, Some(2));
        let hits = || strike(&world, Some("hook"), "codedeploy", "GetDeployment").is_some();
        assert_eq!([hits(), hits(), hits()], [true, true, false]);
        assert!(world.read(|state| state.faults.is_empty()));
    }

    #[tokio::test]
    async fn a_fault_lets_so_many_calls_pass() {
        let world = world_with(None, "GetDeployment", FaultKind::Throttled, Some(1));
        world.update(|state| state.faults[0].after = 2);
        let hits = || strike(&world, Some("hook"), "codedeploy", "GetDeployment").is_some();
        assert_eq!([hits(), hits(), hits(), hits()], [false, false, true, false]);
    }

    #[tokio::test]
    async fn a_fault_for_one_caller_leaves_others_alone() {
        let world = world_with(Some("hook"), "codedeploy:GetDeployment", FaultKind::Reset, None);
        assert_eq!(strike(&world, None, "codedeploy", "GetDeployment"), None);
        assert_eq!(strike(&world, Some("other"), "codedeploy", "GetDeployment"), None);
        assert_eq!(strike(&world, Some("hook"), "codedeploy", "ListDeployments"), None);
        assert_eq!(strike(&world, Some("hook"), "codedeploy", "GetDeployment"), Some(Strike::Reset));
    }
}

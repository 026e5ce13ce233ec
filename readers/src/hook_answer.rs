//! What a hook that ECS calls returns.

use rehearsal::ecs::answer::{Answer, LATEST_CALL_BACK};
use rehearsal::world::functions::InvocationStatus;

/// Bytes of a reason at most: it quotes the beginning of what was returned.
const LONGEST: usize = 1024;

pub(crate) fn read(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Answer::of(&InvocationStatus::Returned(text.to_owned())) {
        Answer::Succeeded | Answer::Failed => assert!(text.contains("hookStatus"), "nobody said so"),
        Answer::InProgress { after, .. } => assert!(after <= LATEST_CALL_BACK, "called again after {after:?}"),
        Answer::Invalid(reason) => {
            assert!(!reason.contains(char::is_control), "{reason:?} has more than one line");
            assert!(reason.len() <= LONGEST, "a reason of {} bytes", reason.len());
        }
    }
}

//! Rows in tests: what a check found, as text.

use crate::check::{Answer, CannotTell, Check, CheckContext};
use crate::deployment::AnyDeployment;

/// Asks once and tells the answer.
pub(super) async fn told<D: AnyDeployment>(check: &dyn Check<D>, context: &CheckContext<D>) -> String {
    tell(check.ask(context).await)
}

fn tell(answer: Result<Answer, CannotTell>) -> String {
    match answer {
        Ok(Answer::Yes { evidence }) => format!("PASSED\n  {evidence}"),
        Ok(Answer::No { evidence, remedy }) => format!("FAILED\n  {evidence}\n  do: {remedy}"),
        Ok(Answer::NotYet { evidence, again_in, remedy }) => {
            format!("NOT YET (again in {} ms)\n  {evidence}\n  do: {remedy}", again_in.as_millis())
        }
        Err(CannotTell { asked, remedy, source, .. }) => {
            let cause = source.map(|source| format!(": {source}")).unwrap_or_default();
            format!("CANNOT TELL\n  {asked}{cause}\n  do: {remedy}")
        }
    }
}

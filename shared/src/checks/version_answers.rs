//! `version-answers`

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::judging::first_difference;
use super::sending::add_secrets;
use super::words::{cannot_tell, count, quoted, shortened};
use crate::check::{Answer, CannotTell, Check, CheckContext};
use crate::deployment::FunctionDeployment;
use crate::plan::{Invocation, Plan, PlannedSecret, Values, filled};
use crate::ports::{FunctionCall, Invoked};

/// Longest wait for a version where the plan sets none.
const PATIENCE: Duration = Duration::from_secs(30);

/// Beyond what the plan allows: so that an answer that comes late is seen to be late.
const GRACE: Duration = Duration::from_secs(5);

/// The version that is being deployed, invoked itself and not through the alias, returns what the plan expects.
///
/// Without a plan nothing is asked: an event that nobody chose might do anything.
pub struct VersionAnswers {
    invocations: Vec<Invocation>,
    secrets: BTreeMap<String, PlannedSecret>,
    /// What was answered so far: a version that was throttled is not sent the same events again.
    passed: Mutex<Vec<String>>,
}

impl VersionAnswers {
    /// Sends the events of the plan's `function.invocations`.
    pub fn from_plan(plan: &Plan) -> Self {
        Self {
            invocations: plan.function.invocations.clone(),
            secrets: plan.secrets.clone(),
            passed: Mutex::new(Vec::new()),
        }
    }

    /// The variables of the deployment, and of the secrets those that an event uses.
    async fn values(&self, context: &CheckContext<FunctionDeployment>) -> Result<Values, CannotTell> {
        let mut values = Values::of_function(&context.deployment);
        let events: Vec<String> = self.invocations.iter().map(|invocation| invocation.event.to_string()).collect();
        let is_used = |name: &str| events.iter().any(|event| event.contains(&format!("${{{name}}}")));
        let used = self.secrets.iter().filter(|(name, _)| is_used(name));
        add_secrets(&mut values, context, used).await?;
        Ok(values)
    }

    fn passed(&self) -> Vec<String> {
        self.passed.lock().expect("nothing panics while it holds the answers").clone()
    }

    async fn invoke(
        &self,
        context: &CheckContext<FunctionDeployment>,
        invocation: &Invocation,
        values: &Values,
    ) -> Result<Result<Invoked, Answer>, CannotTell> {
        let shift = &context.deployment.shift;
        let within = invocation.expect.within.map(|within| within.duration());
        let limit = within.map_or(PATIENCE, |within| within + GRACE);
        let call = FunctionCall {
            function: shift.function.clone(),
            version: shift.target.clone(),
            event: filled(&invocation.event, values).to_string(),
            timeout: limit.min(context.deadline.left_for_questions()),
        };
        if let Some(invoked) = context.ports.functions().invoke(call).await? {
            return Ok(Ok(invoked));
        }
        let seen = format!("{} got no answer from {} in {} s", invocation.name, version(context), limit.as_secs());
        match invocation.expect.within {
            Some(within) => Ok(Err(Answer::no(format!("{seen}, expected one within {within}"), read_the_log(context)))),
            None => Err(cannot_tell(
                seen,
                format!("Say in the plan how long {} may take (expect.within).", invocation.name),
            )),
        }
    }
}

#[async_trait]
impl Check<FunctionDeployment> for VersionAnswers {
    fn id(&self) -> &'static str {
        "version-answers"
    }

    fn question(&self) -> String {
        "Does the version that is being deployed return what the plan expects of it?".to_owned()
    }

    async fn ask(&self, context: &CheckContext<FunctionDeployment>) -> Result<Answer, CannotTell> {
        if self.invocations.is_empty() {
            return Ok(Answer::yes(format!(
                "nothing was asked of {}: the plan names no events (function.invocations)",
                version(context)
            )));
        }
        let values = self.values(context).await?;
        for invocation in self.invocations.iter().skip(self.passed().len()) {
            let invoked = match self.invoke(context, invocation, &values).await? {
                Ok(invoked) => invoked,
                Err(no) => return Ok(no),
            };
            if let Some(wrong) = mismatch(context, invocation, &invoked, &values) {
                let before = match self.passed().len() {
                    0 => String::new(),
                    passed => format!("; before it {} passed", count(passed, "invocation")),
                };
                return Ok(Answer::no(format!("{} {wrong}{before}", invocation.name), read_the_log(context)));
            }
            let told = format!("{} in {} ms", invocation.name, invoked.took.as_millis());
            self.passed.lock().expect("nothing panics while it holds the answers").push(told);
        }
        let passed = self.passed();
        let counted = count(passed.len(), "invocation");
        Ok(Answer::yes(format!("{counted} of {} passed: {}", version(context), passed.join(", "))))
    }
}

/// `orders:42`.
fn version(context: &CheckContext<FunctionDeployment>) -> String {
    let shift = &context.deployment.shift;
    format!("{}:{}", shift.function, shift.target)
}

fn read_the_log(context: &CheckContext<FunctionDeployment>) -> String {
    let shift = &context.deployment.shift;
    format!("Read the log of version {} in /aws/lambda/{}, correct it, and deploy again.", shift.target, shift.function)
}

/// The first thing about what came of it that is not as expected.
fn mismatch(
    context: &CheckContext<FunctionDeployment>,
    invocation: &Invocation,
    invoked: &Invoked,
    values: &Values,
) -> Option<String> {
    let expect = &invocation.expect;
    let target = &context.deployment.shift.target;
    if let Some(other) = invoked.version.as_ref().filter(|version| *version != target) {
        return Some(format!("was answered by version {other}, expected version {target}"));
    }
    let payload = serde_json::from_slice::<Value>(&invoked.payload).unwrap_or_default();
    let kind = payload.get("errorType").and_then(Value::as_str).unwrap_or("an error without a type");
    match (&invoked.error, &expect.error) {
        (Some(_), None) => return Some(format!("failed with {}", error_in_words(kind, &payload, invoked, values))),
        (Some(_), Some(wanted)) if kind != wanted => {
            return Some(format!("failed with {}, expected {wanted}", error_in_words(kind, &payload, invoked, values)));
        }
        (None, Some(wanted)) => {
            let payload = String::from_utf8_lossy(&invoked.payload);
            let payload = quoted(values.clean(&payload).as_bytes());
            return Some(format!("returned {payload}, expected it to fail with {wanted}"));
        }
        (Some(_), Some(_)) | (None, None) => {}
    }
    if let Some(difference) = first_difference(&expect.json, &payload, values) {
        return Some(format!("returned {difference}"));
    }
    let limit = expect.within.filter(|within| invoked.took > within.duration())?;
    Some(format!("took {} ms, expected at most {limit}", invoked.took.as_millis()))
}

/// Type, message, and the last line that the function itself wrote.
fn error_in_words(kind: &str, payload: &Value, invoked: &Invoked, values: &Values) -> String {
    let message = payload.get("errorMessage").and_then(Value::as_str).unwrap_or_default();
    let mut words = shortened(&values.clean(&format!("{kind}: {message}")));
    let own = |line: &&str| {
        let line = line.trim();
        let lambdas = ["START RequestId", "END RequestId", "REPORT RequestId", "INIT_START", "XRAY TraceId"];
        !line.is_empty() && !lambdas.iter().any(|start| line.starts_with(start))
    };
    if let Some(last) = invoked.log.lines().rfind(own) {
        words.push_str(&format!("; its last line: {}", shortened(&values.clean(last))));
    }
    words
}

#[cfg(test)]
mod tests;

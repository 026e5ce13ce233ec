//! `function`: what is asked of a Lambda function's new version before users reach it.

use serde::Deserialize;

use super::Reader;
use super::assertion::Assertion;
use super::json_path::JsonPath;
use super::request::WrittenJsonExpectations;
use crate::document::Spanned;
use crate::units::Span;

/// Variables that the events of a plan may use, and what they are expected to return.
pub const FUNCTION_VARIABLES: [&str; 5] = ["function", "alias", "target_version", "current_version", "deployment_id"];

/// Invocations of one deployment; a hook has minutes, not hours.
const MOST_INVOCATIONS: usize = 50;

/// What is asked of a Lambda function's new version.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FunctionQuestions {
    /// Events, in the order in which they are sent.
    pub invocations: Vec<Invocation>,
}

/// An event, and what must come of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    /// What the report calls it.
    pub name: String,
    /// The event; variables in its texts are replaced.
    pub event: serde_json::Value,
    /// What must come of it.
    pub expect: Returned,
}

/// What an invocation must return. With nothing said: anything, without an error.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Returned {
    /// What the values of the returned JSON must be like.
    pub json: Vec<(JsonPath, Assertion)>,
    /// Longest time it may take.
    pub within: Option<Span>,
    /// The type of the error that must come of it, such as `ValidationError`; `None` where there must be none.
    pub error: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct WrittenFunction {
    /// Events, in the order in which they are sent.
    invocations: Spanned<Vec<Spanned<WrittenInvocation>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct WrittenInvocation {
    /// What the report calls it.
    name: Option<Spanned<String>>,
    /// The event; variables in its texts are replaced.
    event: Spanned<serde_json::Value>,
    /// What must come of it; anything but an error where nothing is said.
    expect: Option<WrittenReturned>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct WrittenReturned {
    /// What the values of the returned JSON must be like.
    #[serde(default)]
    json: WrittenJsonExpectations,
    /// Longest time it may take.
    within: Option<Span>,
    /// `none`, or the type of the error that must come of it.
    error: Option<Spanned<String>>,
}

impl Reader<'_> {
    pub(super) fn function(&self, written: WrittenFunction) -> FunctionQuestions {
        let list = written.invocations;
        if list.value.is_empty() || list.value.len() > MOST_INVOCATIONS {
            let message = format!("expected 1 to {MOST_INVOCATIONS} invocations");
            self.judge.note(self.lacking(list.referenced, message));
        }
        let variables = FUNCTION_VARIABLES.map(str::to_owned);
        let all = list.value.into_iter().enumerate();
        let invocations = all.filter_map(|(index, written)| self.invocation(index, written.value, &variables));
        FunctionQuestions { invocations: invocations.collect() }
    }

    fn invocation(&self, index: usize, written: WrittenInvocation, variables: &[String]) -> Option<Invocation> {
        let name = match written.name {
            Some(name) if name.value.trim().is_empty() => {
                self.judge.keep(Err(self.wrong(name.referenced, "this name is empty")))
            }
            Some(name) => Some(name.value),
            None => Some(format!("invocation {}", index + 1)),
        };
        let event = self.judge.keep(self.json(written.event, variables));
        let expect = written.expect.map(|expect| self.returned(expect, variables)).unwrap_or_default();
        Some(Invocation { name: name?, event: event?, expect })
    }

    fn returned(&self, written: WrittenReturned, variables: &[String]) -> Returned {
        let error = self.part(written.error, |error| match error.value.as_str() {
            text if text.trim().is_empty() => {
                let message = "expected `none`, or the type of an error such as `ValidationError`";
                Err(self.wrong(error.referenced, message))
            }
            "none" => Ok(None),
            _ => Ok(Some(error.value)),
        });
        let json = self.json_expectations(written.json, variables);
        Returned { json, within: written.within, error: error.flatten() }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use crate::plan::Plan;

    #[test]
    fn every_mistake_is_told_where_it_stands() {
        let text = "\
version: 1
function:
  invocations:
    - { name: \" \", event: { sku: \"${order}\" } }
    - { event: { password: hunter2 }, expect: { within: 5, json: { status: 1 } } }
    - { event: {}, expect: { error: \"\", status: 200 } }
";
        assert_snapshot!(Plan::parse(text, "plan.yaml").expect_err("it is full of mistakes"), @r#"
        plan.yaml:4:15: this name is empty
           4 |     - { name: " ", event: { sku: "${order}" } }
             |               ^
        plan.yaml:4:27: nothing before this sets `${order}`; expected one of `function`, `alias`, `target_version`, `current_version`, `deployment_id`
           4 |     - { name: " ", event: { sku: "${order}" } }
             |                           ^
        plan.yaml:5:16: `password` holds a secret in plain sight, and a plan is no place for one; name it under `secrets`, or capture it from an earlier request, and write `${name}`
           5 |     - { event: { password: …
             |                ^
        plan.yaml:5:57: `5` has no unit; expected a duration such as `500ms`, `5s`, `3m` or `1h`
           5 |     - { event: { password: …
             |                             ^
        plan.yaml:5:68: `status` is no path into JSON; expected one such as `$.status` or `$.items[0].id`
           5 |     - { event: { password: …
             |                             ^
        plan.yaml:6:37: expected `none`, or the type of an error such as `ValidationError`
           6 |     - { event: {}, expect: { error: "", status: 200 } }
             |                                     ^
        plan.yaml:6:41: unknown key `status`; expected one of `json`, `within`, `error`
           6 |     - { event: {}, expect: { error: "", status: 200 } }
             |                                         ^
        "#);
    }
}

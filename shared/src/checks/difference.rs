//! In what two versions of a service answer differently, beside the noise in which one of them differs from itself.

use std::collections::BTreeSet;

use serde_json::Value;

use super::words::shortened;
use crate::document::names_a_secret;
use crate::plan::{Comparing, JsonPath};
use crate::ports::ProbeResponse;

/// Headers that a client acts upon. Others belong to the one answer (dates, lengths, ids) or are secret.
const HEADERS: [&str; 7] =
    ["access-control-allow-origin", "allow", "cache-control", "content-type", "location", "vary", "www-authenticate"];

/// What both colours answered, in the order in which they were asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    pub(super) blue: Vec<ProbeResponse>,
    pub(super) green: Vec<ProbeResponse>,
}

/// What the answers come to.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Where every answer of green differs from what all of blue's say.
    pub(super) differences: Vec<Difference>,
    /// Where blue differs from itself.
    pub(super) noise: Vec<String>,
    /// What only green says, where blue says nothing.
    pub(super) added: Vec<String>,
}

/// One difference.
#[derive(Debug)]
pub(super) struct Difference {
    /// `$.status`, `header vary`, `the status`.
    pub(super) place: String,
    pub(super) blue: String,
    pub(super) green: String,
}

impl Findings {
    /// Compares everything that was answered to one request.
    pub(super) fn of(answers: &Answers, planned: &Comparing) -> Self {
        let mut findings = Self::default();
        let status = |response: &ProbeResponse| Some(Value::from(response.status));
        if !findings.same("the status", &answers.blue, &answers.green, status) {
            return findings;
        }
        for name in HEADERS.into_iter().filter(|name| !planned.ignore_headers.iter().any(|ignored| ignored == name)) {
            let value =
                |response: &ProbeResponse| response.header(name).map(|value| Value::from(comparable(name, value)));
            findings.same(&format!("header {name}"), &answers.blue, &answers.green, value);
        }
        let json = |responses: &[ProbeResponse]| {
            let read = responses.iter().map(|response| serde_json::from_slice::<Value>(&response.body));
            read.collect::<Result<Vec<_>, _>>().ok()
        };
        match (json(&answers.blue), json(&answers.green)) {
            (Some(blue), Some(green)) => {
                let blue: Vec<Option<&Value>> = blue.iter().map(Some).collect();
                let green: Vec<Option<&Value>> = green.iter().map(Some).collect();
                findings.walk(&JsonPath::root(), &blue, &green, planned);
            }
            _ => {
                let text =
                    |response: &ProbeResponse| Some(Value::from(String::from_utf8_lossy(&response.body).into_owned()));
                findings.same("the body", &answers.blue, &answers.green, text);
            }
        }
        findings.differences.sort_by_key(|found| found.place.len() + found.blue.len() + found.green.len());
        findings
    }

    /// Whether both say the same here; blue's noise counts as the same.
    fn same(
        &mut self,
        place: &str,
        blue: &[ProbeResponse],
        green: &[ProbeResponse],
        read: impl Fn(&ProbeResponse) -> Option<Value>,
    ) -> bool {
        let blue: Vec<_> = blue.iter().map(&read).collect();
        let green: Vec<_> = green.iter().map(&read).collect();
        let refs =
            |values: &[Option<Value>]| values.iter().map(Option::as_ref).map(|it| it.cloned()).collect::<Vec<_>>();
        self.leaf(place.to_owned(), &refs(&blue), &refs(&green))
    }

    /// Compares what stands at one place. `None` is nothing.
    fn leaf(&mut self, place: String, blue: &[Option<Value>], green: &[Option<Value>]) -> bool {
        let Some((first, others)) = blue.split_first() else { return true };
        let varies = others.iter().any(|other| !equal(other, first));
        if varies && green.iter().any(|own| blue.iter().any(|blue| kind(blue) == kind(own))) {
            self.noise.push(place);
            return true;
        }
        if green.iter().any(|own| equal(own, first)) {
            return true;
        }
        let secret = names_a_secret(&place);
        let shown = |value: Option<&Value>, other: &str| match value {
            None => "nothing".to_owned(),
            Some(_) if secret => other.to_owned(),
            Some(Value::Array(items)) => super::words::count(items.len(), "item"),
            Some(Value::Object(members)) => super::words::count(members.len(), "member"),
            Some(value) => shortened(&value.to_string()),
        };
        let green = green.first().and_then(Option::as_ref);
        let blue = if varies { format!("{} that changes", kind(first)) } else { shown(first.as_ref(), "one value") };
        self.differences.push(Difference { place, blue, green: shown(green, "another value") });
        false
    }

    fn walk(&mut self, place: &JsonPath, blue: &[Option<&Value>], green: &[Option<&Value>], planned: &Comparing) {
        if planned.ignore.iter().any(|ignored| ignored.covers(place)) {
            return;
        }
        let all = || blue.iter().chain(green);
        if all().all(|value| value.is_some_and(Value::is_object)) {
            let members = all().flatten().filter_map(|value| value.as_object());
            let names: BTreeSet<&String> = members.flat_map(|members| members.keys()).collect();
            for name in names {
                let within = |values: &[Option<&Value>]| -> Vec<Option<Value>> {
                    values.iter().map(|value| value.and_then(|value| value.get(name)).cloned()).collect()
                };
                let (blue, green) = (within(blue), within(green));
                let below = place.member(name);
                if blue.iter().all(Option::is_none) {
                    if !planned.ignore.iter().any(|ignored| ignored.covers(&below)) {
                        self.added.push(below.to_string());
                    }
                } else {
                    self.walk(&below, &refs(&blue), &refs(&green), planned);
                }
            }
            return;
        }
        let lengths: Vec<_> = all().map(|value| value.and_then(Value::as_array).map(Vec::len)).collect();
        if let Some(Some(length)) = lengths.first()
            && lengths.iter().all(|other| *other == Some(*length))
        {
            for index in 0..*length {
                let within = |values: &[Option<&Value>]| -> Vec<Option<Value>> {
                    values.iter().map(|value| value.and_then(|value| value.get(index)).cloned()).collect()
                };
                let (blue, green) = (within(blue), within(green));
                self.walk(&place.item(index), &refs(&blue), &refs(&green), planned);
            }
            return;
        }
        let owned = |values: &[Option<&Value>]| values.iter().map(|value| value.cloned()).collect::<Vec<_>>();
        // Lists of different lengths are compared by their lengths alone: what stands where is chance.
        let (blue, green) = (owned(blue), owned(green));
        let lists = |values: &[Option<Value>]| values.iter().all(|value| value.as_ref().is_some_and(Value::is_array));
        if lists(&blue) && lists(&green) {
            let lengths = |values: &[Option<Value>]| -> Vec<Option<Value>> {
                let length = |value: &Option<Value>| value.as_ref().and_then(Value::as_array).map_or(0, Vec::len);
                values.iter().map(|value| Some(Value::from(vec![Value::Null; length(value)]))).collect()
            };
            self.leaf(place.to_string(), &lengths(&blue), &lengths(&green));
        } else {
            self.leaf(place.to_string(), &blue, &green);
        }
    }
}

fn refs(values: &[Option<Value>]) -> Vec<Option<&Value>> {
    values.iter().map(Option::as_ref).collect()
}

/// What kind of value it is: where blue's values change, green's must still be of their kind.
fn kind(value: &Option<Value>) -> &'static str {
    match value {
        None => "nothing",
        Some(Value::Null) => "a null",
        Some(Value::Bool(_)) => "a truth value",
        Some(Value::Number(_)) => "a number",
        Some(Value::String(_)) => "a text",
        Some(Value::Array(_)) => "a list",
        Some(Value::Object(_)) => "an object",
    }
}

/// Numbers are equal by value: 1 is 1.0.
fn equal(one: &Option<Value>, other: &Option<Value>) -> bool {
    match (one, other) {
        (Some(Value::Number(one)), Some(Value::Number(other))) => one == other || one.as_f64() == other.as_f64(),
        _ => one == other,
    }
}

/// A header's value as far as both listeners could give the same: they differ in their port.
fn comparable(name: &str, value: &str) -> String {
    match value.split_once("://") {
        Some((_, rest)) if name == "location" => rest.find('/').map_or("/", |at| &rest[at..]).to_owned(),
        _ => value.to_owned(),
    }
}

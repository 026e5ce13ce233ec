//! No secret stands in a plan: it lies in a Docker label or a parameter, where many may read it.

use crate::document::{Judge, Location, Node, Value, looks_random, names_a_secret, recognise};

/// Notes every value of the document that is a secret by its form, wherever it stands.
pub(super) fn look(document: &Node, judge: &Judge<'_>) {
    at(document, &[], judge);
}

/// `keys` are those on the way to the node.
fn at(node: &Node, keys: &[&str], judge: &Judge<'_>) {
    match &node.value {
        Value::Text(text) => {
            if let Some(what) = secret(text, keys) {
                let message =
                    format!("this is {what}, and a plan is no place for one; name a secret of Secrets Manager instead");
                judge.note(judge.wrong(node.place, message));
            }
        }
        Value::List(items) => items.iter().for_each(|item| at(item, keys, judge)),
        Value::Mapping(entries) => {
            for (key, value) in entries {
                key_itself(&key.value, key.referenced, judge);
                let keys: Vec<&str> = keys.iter().copied().chain([key.value.as_str()]).collect();
                at(value, &keys, judge);
            }
        }
        Value::Nothing | Value::Truth(_) | Value::Whole(_) | Value::Number(_) => {}
    }
}

/// What a text is that must not be there.
fn secret(text: &str, keys: &[&str]) -> Option<&'static str> {
    let named = keys.last().is_some_and(|key| names_a_secret(key));
    // There the name alone is enough, and the request's own judgement says so.
    let sent = keys.iter().any(|key| matches!(*key, "headers" | "json" | "form")) && !keys.contains(&"expect");
    if named && sent && !text.contains("${") {
        return None;
    }
    let random = named && looks_random(text) && !text.contains("${");
    recognise(text).map(|found| found.what).or(random.then_some("a generated secret by its look"))
}

/// A key may be one too, where keys are free.
fn key_itself(key: &str, place: Location, judge: &Judge<'_>) {
    if let Some(found) = recognise(key) {
        judge.note(judge.wrong(place, format!("this is {}, and a plan is no place for one", found.what)));
    }
}

//! A place in a JSON document: `$.items[0].id`.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer};
use serde_json::Value;

/// `$` for the whole document, then `.name`, `['any name']` or `[0]`, as often as wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPath {
    written: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Item(usize),
}

impl JsonPath {
    /// Reads a path. The error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no path into JSON; expected one such as `$.status` or `$.items[0].id`");
        let mut rest = text.strip_prefix('$').ok_or_else(wrong)?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix("['") {
                let (name, after) = after.split_once("']").ok_or_else(wrong)?;
                steps.push(Step::Member(name.to_owned()));
                rest = after;
            } else if let Some(after) = rest.strip_prefix('[') {
                let (index, after) = after.split_once(']').ok_or_else(wrong)?;
                steps.push(Step::Item(index.parse().map_err(|_| wrong())?));
                rest = after;
            } else {
                let after = rest.strip_prefix('.').ok_or_else(wrong)?;
                let end = after.find(['.', '[']).unwrap_or(after.len());
                if end == 0 || after[..end].contains('*') {
                    return Err(wrong());
                }
                steps.push(Step::Member(after[..end].to_owned()));
                rest = &after[end..];
            }
        }
        Ok(Self { written: text.to_owned(), steps })
    }

    /// The value at this place, if there is one.
    pub fn find<'v>(&self, document: &'v Value) -> Option<&'v Value> {
        self.steps.iter().try_fold(document, |value, step| match step {
            Step::Member(name) => value.get(name),
            Step::Item(index) => value.get(index),
        })
    }
}

/// As it is written.
impl fmt::Display for JsonPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.written)
    }
}

impl<'de> Deserialize<'de> for JsonPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::JsonPath;

    #[test]
    fn a_path_leads_to_a_value() {
        let document = json!({"status": "ready", "items": [{"id": 7, "full name": "x"}]});
        let find = |path: &str| JsonPath::parse(path).expect("a path").find(&document).cloned();
        assert_eq!(find("$.status"), Some(json!("ready")));
        assert_eq!(find("$.items[0].id"), Some(json!(7)));
        assert_eq!(find("$.items[0]['full name']"), Some(json!("x")));
        assert_eq!(find("$.items[1].id"), None);
        assert_eq!(find("$"), Some(document.clone()));
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["status", "$status", "$.", "$..id", "$.items[x]", "$.items[0", "$.items[*]", "$.*"] {
            assert!(JsonPath::parse(text).is_err(), "{text}");
        }
    }
}

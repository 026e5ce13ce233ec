//! A place in a JSON document: `$.items[0].id`.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer};
use serde_json::Value;

/// `$` for the whole document, then `.name`, `['any name']` or `[0]`, as often as wanted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JsonPath {
    written: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Member(String),
    Item(usize),
}

impl JsonPath {
    /// The whole document.
    pub fn root() -> Self {
        Self { written: "$".to_owned(), steps: Vec::new() }
    }

    /// This member of what is here.
    pub fn member(&self, name: &str) -> Self {
        let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
        let step = if plain { format!(".{name}") } else { format!("['{name}']") };
        self.then(&step, Step::Member(name.to_owned()))
    }

    /// This item of what is here.
    pub fn item(&self, index: usize) -> Self {
        self.then(&format!("[{index}]"), Step::Item(index))
    }

    fn then(&self, written: &str, step: Step) -> Self {
        let steps = self.steps.iter().cloned().chain([step]).collect();
        Self { written: format!("{}{written}", self.written), steps }
    }

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

/// Places in a JSON document: a path in which `*` stands for any member and `[*]` for any item, `$.items[*].id`. Whatever
/// lies below such a place belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPattern(Vec<Option<Step>>);

impl JsonPattern {
    /// Reads a pattern. The error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let names = text.replace("[*]", ".*").replace(".*", &format!("['{ANY}']"));
        let path = JsonPath::parse(&names)
            .map_err(|_| format!("`{text}` is no place in JSON; expected one such as `$.status` or `$.items[*].id`"))?;
        let any = |step: &Step| matches!(step, Step::Member(name) if name == ANY);
        Ok(Self(path.steps.into_iter().map(|step| (!any(&step)).then_some(step)).collect()))
    }

    /// Whether this place, or one it lies in, is meant.
    pub fn covers(&self, place: &JsonPath) -> bool {
        let pairs = self.0.iter().zip(&place.steps);
        place.steps.len() >= self.0.len()
            && pairs.into_iter().all(|(own, step)| own.as_ref().is_none_or(|own| own == step))
    }
}

/// Stands for `*` while a pattern is read; no name of a member.
const ANY: &str = "\u{0}*";

impl<'de> Deserialize<'de> for JsonPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{JsonPath, JsonPattern};

    #[test]
    fn a_pattern_covers_its_places_and_what_lies_below_them() {
        let covers = |pattern: &str, place: &JsonPath| JsonPattern::parse(pattern).expect("a pattern").covers(place);
        let place = JsonPath::root().member("items").item(3).member("price").member("amount");
        assert_eq!(place.to_string(), "$.items[3].price.amount");
        for pattern in ["$", "$.items", "$.items[*].price", "$.items[3].price.amount", "$.*[*].price", "$.items.*"] {
            assert!(covers(pattern, &place), "{pattern}");
        }
        for pattern in ["$.item", "$.items[2]", "$.items[*].id", "$.items[3].price.amount.cents"] {
            assert!(!covers(pattern, &place), "{pattern}");
        }
        assert_eq!(JsonPath::root().member("full name").to_string(), "$['full name']");
        assert!(JsonPattern::parse("items").is_err());
    }

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

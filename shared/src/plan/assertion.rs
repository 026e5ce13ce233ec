//! What a value of an answer must be like: `ready`, `"> 3"`, `{ matches: "^A[0-9]+$" }`.

use std::fmt;
use std::str::FromStr;

use regex_lite::{Regex, RegexBuilder};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::template::{Template, Values, plain_text};

/// Bytes that the program of a pattern may have.
const PATTERN_SIZE: usize = 256 * 1024;

const COMPARISONS: &str = "a comparison such as `> 3`, `<= 10` or `= 2`";

/// What a value must be like.
#[derive(Clone, Debug, PartialEq)]
pub enum Assertion {
    /// Exactly this; variables in its texts are replaced.
    Equals(Value),
    /// There, or not there.
    Exists(bool),
    /// A number that compares so.
    Number(Comparison),
    /// A text in which this is found.
    Matches(Pattern),
    /// Characters of a text, items of a list, or members of an object compare so.
    Length(Comparison),
}

impl Assertion {
    /// Whether the value, if there is one, is so.
    pub fn holds(&self, found: Option<&Value>, values: &Values) -> bool {
        match (self, found) {
            (Self::Exists(wanted), found) => found.is_some() == *wanted,
            (_, None) => false,
            // What comes from a variable is compared as text: 42 of the task definition is "42" of the application.
            (Self::Equals(Value::String(text)), Some(found)) if text.contains("${") => {
                plain_text(found) == plain_text(&filled(&Value::from(text.as_str()), values))
            }
            (Self::Equals(wanted), Some(found)) => same(found, &filled(wanted, values)),
            (Self::Number(comparison), Some(found)) => found.as_f64().is_some_and(|number| comparison.holds(number)),
            (Self::Matches(pattern), Some(found)) => {
                !found.is_array() && !found.is_object() && pattern.regex.is_match(&plain_text(found))
            }
            (Self::Length(comparison), Some(found)) => length(found).is_some_and(|length| comparison.holds(length)),
        }
    }

    /// As [`Self::holds`], for a header: a text, whatever the plan writes.
    pub fn holds_for_text(&self, found: Option<&str>, values: &Values) -> bool {
        match (self, found) {
            (Self::Equals(wanted), Some(found)) => plain_text(&filled(wanted, values)) == found,
            (Self::Number(comparison), Some(found)) => {
                found.trim().parse().is_ok_and(|number| comparison.holds(number))
            }
            (other, found) => other.holds(found.map(Value::from).as_ref(), values),
        }
    }

    /// What is expected, in words: `"ready"`, `a number > 3`.
    pub fn wanted(&self, values: &Values) -> String {
        match self {
            Self::Equals(value) => filled(value, values).to_string(),
            Self::Exists(true) => "a value".to_owned(),
            Self::Exists(false) => "nothing there".to_owned(),
            Self::Number(comparison) => format!("a number {comparison}"),
            Self::Matches(pattern) => format!("a text that matches {pattern}"),
            Self::Length(comparison) => format!("a length {comparison}"),
        }
    }

    /// The value that must be there exactly, whose texts may have variables.
    pub(super) fn template(&self) -> Option<&Value> {
        match self {
            Self::Equals(value) => Some(value),
            _ => None,
        }
    }
}

/// Numbers are the same by value: 1 is 1.0.
fn same(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Number(found), Value::Number(wanted)) => found == wanted || found.as_f64() == wanted.as_f64(),
        _ => found == wanted,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a body has fewer than 2^53 characters")]
fn length(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => Some(text.chars().count() as f64),
        Value::Array(items) => Some(items.len() as f64),
        Value::Object(members) => Some(members.len() as f64),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// The JSON with every variable in its texts replaced.
pub fn filled(json: &Value, values: &Values) -> Value {
    match json {
        Value::String(text) => {
            Template::parse(text).map_or_else(|_| json.clone(), |template| template.fill_json(values))
        }
        Value::Array(items) => items.iter().map(|item| filled(item, values)).collect(),
        Value::Object(members) => members.iter().map(|(key, member)| (key.clone(), filled(member, values))).collect(),
        other => other.clone(),
    }
}

/// How a number compares: `> 3`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    sign: Sign,
    than: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Less,
    AtMost,
    Equal,
    AtLeast,
    More,
}

/// Longest first, so that `<` is not read from `<=`.
const SIGNS: [(&str, Sign); 5] =
    [("<=", Sign::AtMost), (">=", Sign::AtLeast), ("<", Sign::Less), (">", Sign::More), ("=", Sign::Equal)];

impl Comparison {
    fn holds(self, number: f64) -> bool {
        match self.sign {
            Sign::Less => number < self.than,
            Sign::AtMost => number <= self.than,
            #[expect(clippy::float_cmp, reason = "the plan says exactly")]
            Sign::Equal => number == self.than,
            Sign::AtLeast => number >= self.than,
            Sign::More => number > self.than,
        }
    }
}

impl FromStr for Comparison {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no comparison; expected {COMPARISONS}");
        let trimmed = text.trim();
        let signed = SIGNS.into_iter().find_map(|(sign, meant)| Some((meant, trimmed.strip_prefix(sign)?)));
        let (sign, number) = signed.unwrap_or((Sign::Equal, trimmed));
        let than: f64 = number.trim().parse().map_err(|_| wrong())?;
        if than.is_finite() { Ok(Self { sign, than }) } else { Err(wrong()) }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = SIGNS.into_iter().find(|(_, sign)| *sign == self.sign).map_or("=", |(written, _)| written);
        write!(out, "{sign} {}", self.than)
    }
}

impl<'de> Deserialize<'de> for Comparison {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A bare number arrives as its text.
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A regular expression.
#[derive(Clone, Debug)]
pub struct Pattern {
    written: String,
    regex: Regex,
}

impl Pattern {
    /// Reads a regular expression; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let built = RegexBuilder::new(text).size_limit(PATTERN_SIZE).build();
        let regex = built.map_err(|error| format!("`{text}` is no regular expression: {error}"))?;
        Ok(Self { written: text.to_owned(), regex })
    }

    /// Whether it is found in the text.
    pub fn is_found_in(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

/// As it is written.
impl fmt::Display for Pattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.written)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// What stands for a value in the plan: the value itself, a comparison, or a mapping of assertions that must all hold.
#[derive(Clone, Debug)]
pub(super) struct Assertions(pub(super) Vec<Assertion>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct Operators {
    /// The value it must be.
    equals: Option<Value>,
    /// Whether it must be there.
    exists: Option<bool>,
    /// The number it must be compared with.
    is: Option<Comparison>,
    /// A regular expression that must be found in its text.
    matches: Option<Pattern>,
    /// How long the text or list, or how large the object, must be.
    length: Option<Comparison>,
}

impl<'de> Deserialize<'de> for Assertions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyAssertions)
    }
}

struct AnyAssertions;

impl AnyAssertions {
    fn equal<E>(value: impl Into<Value>) -> Result<Assertions, E> {
        Ok(Assertions(vec![Assertion::Equals(value.into())]))
    }
}

impl<'de> Visitor<'de> for AnyAssertions {
    type Value = Assertions;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value, a comparison such as `> 3`, or assertions such as `{ exists: true }`")
    }

    fn visit_unit<E>(self) -> Result<Assertions, E> {
        Self::equal(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Assertions, E> {
        Self::equal(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Assertions, E> {
        Self::equal(value)
    }

    fn visit_u64<E>(self, value: u64) -> Result<Assertions, E> {
        Self::equal(value)
    }

    fn visit_i64<E>(self, value: i64) -> Result<Assertions, E> {
        Self::equal(value)
    }

    fn visit_f64<E>(self, value: f64) -> Result<Assertions, E> {
        Self::equal(value)
    }

    fn visit_str<E>(self, text: &str) -> Result<Assertions, E> {
        if text.starts_with(['<', '>'])
            && let Ok(comparison) = text.parse()
        {
            return Ok(Assertions(vec![Assertion::Number(comparison)]));
        }
        Self::equal(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Assertions, A::Error> {
        let mut items: Vec<Value> = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Self::equal(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Assertions, A::Error> {
        let said = Operators::deserialize(MapAccessDeserializer::new(map))?;
        let all = [
            said.exists.map(Assertion::Exists),
            said.equals.map(Assertion::Equals),
            said.is.map(Assertion::Number),
            said.matches.map(Assertion::Matches),
            said.length.map(Assertion::Length),
        ];
        let all: Vec<Assertion> = all.into_iter().flatten().collect();
        if all.is_empty() {
            let known = "`equals`, `exists`, `is`, `matches` and `length`";
            return Err(de::Error::custom(format!("nothing is asserted here; expected some of {known}")));
        }
        Ok(Assertions(all))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn assertion(text: &str) -> Assertion {
        let read: Assertions = crate::document::parse(text, "plan").expect("assertions");
        read.0.into_iter().next().expect("one")
    }

    #[test]
    fn a_value_is_judged_by_what_stands_for_it() {
        let nothing = Values::default();
        let cases = [
            ("ready", json!("ready"), true),
            ("ready", json!("starting"), false),
            ("3", json!(3.0), true),
            ("\"3\"", json!(3), false),
            ("[1, 2]", json!([1, 2]), true),
            ("\"> 3\"", json!(4), true),
            ("\"> 3\"", json!(3), false),
            ("\"<= 3\"", json!(3), true),
            ("\"> 3\"", json!("4"), false),
            ("{ equals: \"> 3\" }", json!("> 3"), true),
            ("{ equals: { a: 1 } }", json!({"a": 1}), true),
            ("{ is: 3 }", json!(3), true),
            ("{ matches: \"^A[0-9]+$\" }", json!("A12"), true),
            ("{ matches: \"^A[0-9]+$\" }", json!("B12"), false),
            ("{ matches: \"^4\" }", json!(42), true),
            ("{ length: 2 }", json!(["a", "b"]), true),
            ("{ length: \"> 2\" }", json!("äöü"), true),
            ("{ length: 2 }", json!(22), false),
            ("{ exists: true }", json!(null), true),
        ];
        for (text, found, holds) in cases {
            assert_eq!(assertion(text).holds(Some(&found), &nothing), holds, "{text} of {found}");
        }
        assert!(assertion("{ exists: false }").holds(None, &nothing));
        assert!(!assertion("{ exists: false }").holds(Some(&json!(1)), &nothing));
        assert!(!assertion("ready").holds(None, &nothing));
    }

    #[test]
    fn a_header_is_a_text_whatever_the_plan_writes() {
        let nothing = Values::default();
        assert!(assertion("5").holds_for_text(Some("5"), &nothing));
        assert!(assertion("\"> 3\"").holds_for_text(Some("5"), &nothing));
        assert!(assertion("{ exists: false }").holds_for_text(None, &nothing));
        assert!(!assertion("{ matches: json }").holds_for_text(Some("text/html"), &nothing));
    }

    #[test]
    fn what_is_no_assertion_is_refused() {
        for text in ["{ matches: \"(\" }", "{ length: many }", "{}", "{ above: 3 }", "{ is: \"> inf\" }"] {
            assert!(crate::document::parse::<Assertions>(text, "plan").is_err(), "{text}");
        }
    }

    /// The text comes from whoever writes the plan and the answer from whoever wrote the application.
    #[test]
    fn a_pattern_cannot_take_for_ever() {
        assert!(Pattern::parse("(a{1000}){1000}").is_err());
        let slow = Pattern::parse("(a+)+$").expect("a pattern");
        assert!(!slow.is_found_in(&format!("{}b", "a".repeat(2_000))));
    }
}

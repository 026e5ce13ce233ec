//! Filter patterns of CloudWatch Logs for lines in JSON, as far as our template uses them: comparisons of fields with texts, all
//! of which must hold. A line without the field, or that is no JSON, does not match.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>

use serde_json::Value;

/// A pattern: `{ ($.type = "platform.report") && ($.record.status != "success") }`.
#[derive(Clone, Debug, PartialEq)]
pub struct LogFilter(Vec<Comparison>);

#[derive(Clone, Debug, PartialEq)]
struct Comparison {
    /// As a JSON pointer.
    field: String,
    equal: bool,
    text: String,
}

impl LogFilter {
    /// Reads a pattern. `Err`: what of it is not played here.
    pub fn read(pattern: &str) -> Result<Self, String> {
        let unknown = |part: &str| format!("`{part}` of the filter pattern is not played here");
        let inside = pattern.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let inside = inside.ok_or_else(|| unknown(pattern))?;
        let comparison = |part: &str| {
            let part = part.trim();
            let part = part.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(part);
            let (equal, sides) = match part.split_once("!=") {
                Some(sides) => (false, Some(sides)),
                None => (true, part.split_once('=')),
            };
            let (field, text) = sides.ok_or_else(|| unknown(part))?;
            let field = field.trim().strip_prefix('$').ok_or_else(|| unknown(part))?.replace('.', "/");
            let text = text.trim().strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            Ok(Comparison { field, equal, text: text.ok_or_else(|| unknown(part))?.to_owned() })
        };
        inside.split("&&").map(comparison).collect::<Result<_, _>>().map(Self)
    }

    /// Whether this line is for the subscriber.
    pub fn matches(&self, line: &str) -> bool {
        let Ok(line) = serde_json::from_str::<Value>(line) else { return false };
        self.0
            .iter()
            .all(|it| line.pointer(&it.field).and_then(Value::as_str).is_some_and(|text| (text == it.text) == it.equal))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::LogFilter;

    #[test]
    fn a_line_matches_when_every_comparison_holds() {
        let filter = LogFilter::read(r#"{ ($.type = "platform.report") && ($.record.status != "success") }"#).unwrap();
        assert!(filter.matches(r#"{"type": "platform.report", "record": {"status": "timeout"}}"#));
        assert!(!filter.matches(r#"{"type": "platform.report", "record": {"status": "success"}}"#));
        assert!(!filter.matches(r#"{"type": "platform.start", "record": {"status": "timeout"}}"#));
        assert!(!filter.matches(r#"{"type": "platform.report", "record": {}}"#));
        assert!(!filter.matches("platform.report timeout"));
    }

    #[test]
    fn a_pattern_that_is_not_played_is_refused() {
        for pattern in ["ERROR", "{ $.status = * }", "{ status = \"a\" }", "{ $.latency > 3 }"] {
            assert!(LogFilter::read(pattern).is_err(), "{pattern}");
        }
    }
}

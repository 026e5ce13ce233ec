//! What is wrong with a document, in the words of someone who wrote one.

use std::fmt;

use serde_saphyr::{Error, Location};

use super::{secrecy, words};
use crate::report::words::one_line;

/// A mistake in a document: where, what was expected, and the line it stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentError {
    source_name: String,
    line: u64,
    column: u64,
    message: String,
    quoted: Option<String>,
    consequence: bool,
}

impl DocumentError {
    /// A mistake at this line and column, both counted from 1. The message must not quote the document.
    pub fn new(source: &str, text: &str, line: u64, column: u64, message: impl Into<String>) -> Self {
        Self::unquoted(source, line, column, message).quoting(text)
    }

    /// A mistake at the place of a [`Spanned`](super::Spanned) value.
    pub fn at(source: &str, text: &str, place: Location, message: impl Into<String>) -> Self {
        Self::new(source, text, place.line(), place.column(), message)
    }

    /// Without the line it stands on.
    pub(super) fn unquoted(source: &str, line: u64, column: u64, message: impl Into<String>) -> Self {
        let (line, column) = (line.max(1), column.max(1));
        let source_name = source.to_owned();
        // A message may name the value that is wrong, and the value may be a secret that stands where none should.
        let message = one_line(&secrecy::without_recognised(&message.into()), LONGEST);
        Self { source_name, line, column, message, quoted: None, consequence: false }
    }

    /// With the line it stands on, as far as anybody may read it.
    pub(super) fn quoting(self, text: &str) -> Self {
        let index = usize::try_from(self.line - 1).unwrap_or(usize::MAX);
        let before = index.checked_sub(1).and_then(|index| text.lines().nth(index));
        let quoted = text
            .lines()
            .nth(index)
            .filter(|line| !line.trim().is_empty())
            .map(|line| secrecy::quotable(line, before).replace(char::is_control, " "));
        Self { quoted, ..self }
    }

    /// Not worth telling: it goes when another mistake of the same document does.
    pub(super) fn follows_from_another(self) -> Self {
        Self { consequence: true, ..self }
    }

    pub(super) fn is_consequence(&self) -> bool {
        self.consequence
    }

    /// Line and column.
    pub(super) fn place(&self) -> (u64, u64) {
        (self.line, self.column)
    }

    /// The line, counted from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The column, counted from 1.
    pub fn column(&self) -> u64 {
        self.column
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Place and message in one line, without the quoted text: `plan.yaml:12:7: unknown key …`.
    pub fn one_line(&self) -> String {
        format!("{}:{}:{}: {}", self.source_name, self.line, self.column, self.message)
    }
}

/// Longest message: it may name a key of any length, and a list of valid ones.
const LONGEST: usize = 2000;

/// Longest piece of a line that is quoted.
const MAX_QUOTED: usize = 120;

impl fmt::Display for DocumentError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.one_line())?;
        let Some(quoted) = &self.quoted else { return Ok(()) };
        let column = usize::try_from(self.column).unwrap_or(usize::MAX);
        if column > MAX_QUOTED {
            return Ok(());
        }
        let shown: String = quoted.chars().take(MAX_QUOTED).collect();
        let caret = column.min(shown.chars().count() + 1);
        write!(out, "\n  {:>2} | {shown}\n     | {:>caret$}", self.line, "^")
    }
}

impl std::error::Error for DocumentError {}

/// The parser's error in plain words.
pub(super) fn translate(error: &Error, source: &str, remarks: &[(&str, &str)]) -> DocumentError {
    let place = error.location().filter(|place| *place != Location::UNKNOWN);
    let (line, column) = place.map_or((1, 1), |place| (place.line(), place.column()));
    DocumentError::unquoted(source, line, column, explain(error, remarks))
}

/// Which key the parser's error says is missing.
pub(super) fn missing_key(error: &Error) -> Option<&str> {
    match error {
        Error::WithSnippet { error, .. } | Error::AliasError { error, .. } => missing_key(error),
        Error::SerdeMissingField { field, .. } => Some(field),
        _ => None,
    }
}

/// Whether the parser's error is that there is no such key.
pub(super) fn is_of_an_unknown_key(error: &Error) -> bool {
    match error {
        Error::WithSnippet { error, .. } | Error::AliasError { error, .. } => is_of_an_unknown_key(error),
        _ => matches!(error, Error::SerdeUnknownField { .. }),
    }
}

fn explain(error: &Error, remarks: &[(&str, &str)]) -> String {
    match error {
        Error::WithSnippet { error, .. } | Error::AliasError { error, .. } => explain(error, remarks),
        Error::SerdeUnknownField { field, expected, .. } => {
            if let Some((_, remark)) = remarks.iter().find(|(key, _)| key == field) {
                return format!("`{field}` {remark}");
            }
            format!("unknown key `{field}`; {}", words::one_of(field, expected))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            format!("unknown word `{variant}`; {}", words::one_of(variant, expected))
        }
        Error::SerdeMissingField { field, .. } => format!("the key `{field}` is missing here"),
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key `{key}` stands twice; keep one of them")
        }
        Error::DuplicateMappingKey { key: None, .. } => "a key stands twice; keep one of them".to_owned(),
        Error::Eof { .. } => "the document is empty or ends too early".to_owned(),
        Error::MultipleDocuments { .. } => "a second document starts here; one file holds one document".to_owned(),
        Error::Unexpected { expected, .. } => format!("expected {}", thing(expected)),
        Error::InvalidScalar { ty, .. } => format!("expected {}", thing(ty)),
        Error::InvalidBooleanStrict { .. } => "expected `true` or `false`".to_owned(),
        Error::NullIntoString { .. } => "expected a text, found nothing".to_owned(),
        // The value itself is not repeated: it may be secret.
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => {
            format!("expected {}", thing(expected))
        }
        Error::SerdeInvalidLength { len, expected, .. } => format!("expected {}, found {len}", thing(expected)),
        Error::ExternallyTaggedEnumExpectedScalarOrMapping { .. } | Error::UnexpectedValueForUnitEnumVariant { .. } => {
            "expected a single word".to_owned()
        }
        Error::UnknownAnchor { .. } => {
            "`*` refers to an anchor that is not there; put a text that starts with `*` in quotes".to_owned()
        }
        Error::Budget { .. } => "the document is too large or nests too deeply".to_owned(),
        other => syntax(&other.render_with_formatter(&serde_saphyr::UserMessageFormatter)),
    }
}

/// What the YAML scanner complains about, without its own idea of the place.
fn syntax(message: &str) -> String {
    let message = message.split(" at line ").next().unwrap_or(message);
    if message.contains("tab") {
        return "a tab indents this line; YAML wants spaces".to_owned();
    }
    message.to_owned()
}

/// A type of the parser or of serde, in words.
fn thing(name: &str) -> String {
    let words = match name {
        "mapping start" | "a map" | "map" => "a mapping (`key: value` lines)",
        "sequence start" | "a sequence" | "sequence" => "a list (`- …` lines, or `[…]`)",
        "string scalar" | "a string" | "string" => "a text",
        "bool" | "a boolean" => "`true` or `false`",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        other if other.starts_with("struct ") => "a mapping (`key: value` lines)",
        other => other,
    };
    words.to_owned()
}

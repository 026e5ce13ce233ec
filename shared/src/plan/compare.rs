//! `test_traffic.compare_with_blue`: what both colours are asked, and what may differ.

use serde::Deserialize;

use super::Reader;
use super::chosen::Choice;
use super::json_path::JsonPattern;
use super::request::Request;
use crate::document::Spanned;

/// What both colours are asked, and what may differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparing {
    /// Requests that change nothing.
    pub requests: Vec<Request>,
    /// Places of the JSON that may differ.
    pub ignore: Vec<JsonPattern>,
    /// Headers that may differ; names in lower case.
    pub ignore_headers: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct WrittenComparing {
    /// Names of requests of `test_traffic.requests`; all that are safe to send when missing.
    requests: Option<Vec<Spanned<String>>>,
    /// Places in JSON that may differ.
    #[serde(default)]
    ignore: Vec<JsonPattern>,
    /// Headers that may differ.
    #[serde(default)]
    ignore_headers: Vec<String>,
}

impl Reader<'_> {
    pub(super) fn comparing(&self, written: Spanned<WrittenComparing>, choice: &Choice) -> Comparing {
        let Spanned { value: comparing, referenced: place, .. } = written;
        Comparing {
            requests: self.chosen(comparing.requests, place, choice, false),
            ignore: comparing.ignore,
            ignore_headers: comparing.ignore_headers.iter().map(|name| name.to_lowercase()).collect(),
        }
    }
}

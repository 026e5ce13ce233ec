//! A request of the plan, as the team wrote it and as it is sent.

use serde::Deserialize;

use super::Reader;
use super::expect::{Expect, Statuses};
use super::json_path::JsonPath;
use super::template::{Template, VARIABLES};
use crate::document::{DocumentError, Location, Mapping, Spanned, names_a_secret, one_of};
use crate::units::Span;

/// Attempts a plan may ask for.
const MOST_ATTEMPTS: u32 = 20;

/// A request and what its response must be like.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What the report calls it: method and path, after the plan's own name where it gives one.
    pub name: String,
    /// `GET`, `POST`, …
    pub method: &'static str,
    /// Path and query, beginning with `/`.
    pub path: Template,
    /// Headers. Values may be secret: never log them.
    pub headers: Vec<(String, Template)>,
    /// Body.
    pub body: Option<RequestBody>,
    /// What the response must be like.
    pub expect: Expect,
    /// Values of the JSON response that later requests use: variable and place.
    pub captures: Vec<(String, JsonPath)>,
    /// How often it is sent at most until its response is as expected.
    pub attempts: u32,
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum RequestBody {
    /// JSON; variables in its texts are replaced.
    Json(serde_json::Value),
    /// Text.
    Text(Template),
}

impl Request {
    /// A plain GET that must answer 2xx.
    pub fn get(path: &str) -> Self {
        Self {
            name: format!("GET {path}"),
            method: "GET",
            path: Template::plain(path),
            headers: Vec::new(),
            body: None,
            expect: Expect::success(),
            captures: Vec::new(),
            attempts: 1,
        }
    }

    /// Whether it may be sent again when nobody knows what became of it.
    pub fn is_safe(&self) -> bool {
        matches!(self.method, "GET" | "HEAD")
    }
}

/// A request as it stands in the document.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenRequest {
    name: Option<String>,
    get: Option<Spanned<Template>>,
    post: Option<Spanned<Template>>,
    put: Option<Spanned<Template>>,
    patch: Option<Spanned<Template>>,
    delete: Option<Spanned<Template>>,
    head: Option<Spanned<Template>>,
    #[serde(default)]
    headers: Mapping<Spanned<Template>>,
    json: Option<Spanned<serde_json::Value>>,
    body: Option<Spanned<Template>>,
    expect: Option<WrittenExpect>,
    #[serde(default)]
    capture: Mapping<Spanned<String>>,
    attempts: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenExpect {
    status: Option<Statuses>,
    #[serde(default)]
    headers: Mapping<Spanned<Template>>,
    #[serde(default)]
    json: Mapping<Spanned<serde_json::Value>>,
    body_contains: Option<Spanned<Template>>,
    within: Option<Span>,
}

/// Judges what the types alone cannot: one method, known variables, no secrets.
pub(super) fn read(reader: &Reader<'_>, written: Vec<Spanned<WrittenRequest>>) -> Vec<Request> {
    let mut variables: Vec<String> = VARIABLES.map(str::to_owned).to_vec();
    written.into_iter().filter_map(|request| reader.request(request, &mut variables)).collect()
}

impl Reader<'_> {
    /// Every part is judged, so that all that is wrong with a request is told at once.
    fn request(&self, written: Spanned<WrittenRequest>, variables: &mut Vec<String>) -> Option<Request> {
        let Spanned { value: request, referenced: place, .. } = written;
        let methods = [
            ("GET", request.get),
            ("POST", request.post),
            ("PUT", request.put),
            ("PATCH", request.patch),
            ("DELETE", request.delete),
            ("HEAD", request.head),
        ];
        let given: Vec<_> = methods.into_iter().filter_map(|(method, path)| Some((method, path?))).collect();
        let target = self.judge.keep(self.target(given, place, variables));
        let headers = self.headers(request.headers, variables);
        let body = match (request.json, request.body) {
            (Some(_), Some(text)) => Err(self.wrong(text.referenced, "a request has `json` or `body`, not both")),
            (Some(json), None) => self.json(json, variables).map(|json| Some(RequestBody::Json(json))),
            (None, Some(text)) => self.template(text, variables).map(|text| Some(RequestBody::Text(text))),
            (None, None) => Ok(None),
        };
        let body = self.judge.keep(body);
        let expect = request.expect.map_or_else(Expect::success, |expect| self.expect(expect, variables));
        let attempts = self.part(request.attempts, |attempts| match attempts.value {
            1..=MOST_ATTEMPTS => Ok(attempts.value),
            _ => Err(self.wrong(attempts.referenced, format!("expected 1 to {MOST_ATTEMPTS} attempts"))),
        });
        let captures = self.captures(request.capture, variables);
        let (method, path) = target?;
        let name = match request.name {
            Some(name) => format!("{name} ({method} {path})"),
            None => format!("{method} {path}"),
        };
        let attempts = attempts.unwrap_or(1);
        Some(Request { name, method, path, headers, body: body?, expect, captures, attempts })
    }

    fn target(
        &self,
        given: Vec<(&'static str, Spanned<Template>)>,
        request: Location,
        variables: &[String],
    ) -> Result<(&'static str, Template), DocumentError> {
        let Ok([(method, path)]) = <[_; 1]>::try_from(given) else {
            let message = "a request has exactly one of `get`, `post`, `put`, `patch`, `delete`, `head`";
            return Err(self.lacking(request, message));
        };
        if !path.value.to_string().starts_with('/') {
            return Err(self.wrong(path.referenced, "a path begins with `/`; the address is the listener's own"));
        }
        Ok((method, self.template(path, variables)?))
    }

    /// A variable is known from here on, however wrong the path to it is.
    fn captures(&self, written: Mapping<Spanned<String>>, variables: &mut Vec<String>) -> Vec<(String, JsonPath)> {
        let mut captures = Vec::new();
        for (name, path) in written.0 {
            if !name.value.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
                self.judge.note(self.wrong(name.referenced, "a variable's name has letters, digits and `_`"));
            }
            if VARIABLES.contains(&name.value.as_str()) {
                let message = format!("`{}` has a meaning already; choose another name", name.value);
                self.judge.note(self.wrong(name.referenced, message));
            } else {
                variables.push(name.value.clone());
            }
            let path = JsonPath::parse(&path.value).map_err(|message| self.wrong(path.referenced, message));
            captures.extend(self.judge.keep(path).map(|path| (name.value, path)));
        }
        captures
    }

    fn expect(&self, written: WrittenExpect, variables: &[String]) -> Expect {
        let mut json = Vec::new();
        for (path, value) in written.json.0 {
            let place = path.referenced;
            let path = JsonPath::parse(&path.value).map_err(|message| self.wrong(place, message));
            let path = self.judge.keep(path);
            self.judge.keep(self.json_variables(&value.value, value.referenced, variables));
            json.extend(path.map(|path| (path, value.value)));
        }
        let mut headers = Vec::new();
        for (name, value) in written.headers.0 {
            let value = self.judge.keep(self.template(value, variables));
            headers.extend(value.map(|value| (name.value.to_lowercase(), value)));
        }
        let body_contains = self.part(written.body_contains, |text| self.template(text, variables));
        let status = written.status.unwrap_or(Statuses::Class(2));
        Expect { status, headers, json, body_contains, within: written.within }
    }

    fn headers(&self, written: Mapping<Spanned<Template>>, variables: &[String]) -> Vec<(String, Template)> {
        let mut headers = Vec::new();
        for (name, value) in written.0 {
            if name.value.eq_ignore_ascii_case("host") {
                self.judge.note(self.wrong(name.referenced, "the host is set by `test_traffic.host`"));
            }
            if names_a_secret(&name.value) && value.value.variables().next().is_none() {
                self.judge.note(self.secret(&name));
            }
            let value = self.judge.keep(self.template(value, variables));
            headers.extend(value.map(|value| (name.value, value)));
        }
        headers
    }

    fn json(&self, json: Spanned<serde_json::Value>, variables: &[String]) -> Result<serde_json::Value, DocumentError> {
        if let Some(key) = inline_secret(&json.value) {
            let message = format!(
                "`{key}` holds a secret in plain sight, and a plan is no place for one; \
                 capture it from an earlier request and write `${{name}}`"
            );
            return Err(self.wrong(json.referenced, message));
        }
        self.json_variables(&json.value, json.referenced, variables)?;
        Ok(json.value)
    }

    fn json_variables(
        &self,
        value: &serde_json::Value,
        place: Location,
        variables: &[String],
    ) -> Result<(), DocumentError> {
        match value {
            serde_json::Value::String(text) => {
                let template = Template::parse(text).map_err(|message| self.wrong(place, message))?;
                self.variables(&template, place, variables)
            }
            serde_json::Value::Array(items) => {
                items.iter().try_for_each(|item| self.json_variables(item, place, variables))
            }
            serde_json::Value::Object(members) => {
                members.values().try_for_each(|member| self.json_variables(member, place, variables))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn template(
        &self,
        template: Spanned<Template>,
        variables: &[String],
    ) -> Result<Template, DocumentError> {
        self.variables(&template.value, template.referenced, variables)?;
        Ok(template.value)
    }

    fn variables(&self, template: &Template, place: Location, variables: &[String]) -> Result<(), DocumentError> {
        match template.variables().find(|name| !variables.iter().any(|known| known == name)) {
            None => Ok(()),
            Some(unknown) => {
                let known: Vec<&str> = variables.iter().map(String::as_str).collect();
                let message = format!("nothing before this sets `${{{unknown}}}`; {}", one_of(unknown, &known));
                Err(self.wrong(place, message))
            }
        }
    }

    fn secret(&self, name: &Spanned<String>) -> DocumentError {
        let message = format!(
            "`{}` holds a secret in plain sight, and a plan is no place for one; \
             capture it from an earlier request and write `${{name}}`",
            name.value
        );
        self.wrong(name.referenced, message)
    }
}

/// The first key of the JSON whose name says secret and whose value is a text without a variable.
fn inline_secret(value: &serde_json::Value) -> Option<&str> {
    match value {
        serde_json::Value::Object(members) => members.iter().find_map(|(key, member)| match member {
            serde_json::Value::String(text) if names_a_secret(key) && !text.contains("${") => Some(key.as_str()),
            other => inline_secret(other),
        }),
        serde_json::Value::Array(items) => items.iter().find_map(inline_secret),
        _ => None,
    }
}

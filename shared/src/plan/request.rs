//! A request of the plan, as the team wrote it and as it is sent.

use std::ops::RangeInclusive;

use serde::Deserialize;

use super::Reader;
use super::assertion::{Assertion, Assertions, Pattern};
use super::expect::{Expect, Statuses};
use super::json_path::JsonPath;
use super::template::{Template, VARIABLES};
use crate::document::{DocumentError, Location, Mapping, Spanned, names_a_secret, one_of};
use crate::units::Span;

/// Attempts a plan may ask for.
const MOST_ATTEMPTS: u32 = 20;

/// Redirects a plan may ask to follow.
const MOST_REDIRECTS: u32 = 10;

/// A request and what its response must be like.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What the report calls it: method and path, after the plan's own name where it gives one.
    pub name: String,
    /// The plan's own name.
    pub given_name: Option<String>,
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
    /// How often in a row its response must be as expected.
    pub in_a_row: u32,
    /// How many redirects are followed, one after the other; only within the listener.
    pub follow_redirects: u32,
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum RequestBody {
    /// JSON; variables in its texts are replaced.
    Json(serde_json::Value),
    /// Fields of a form, `application/x-www-form-urlencoded`.
    Form(Vec<(String, Template)>),
    /// Text.
    Text(Template),
}

impl Request {
    /// A plain GET that must answer 2xx.
    pub fn get(path: &str) -> Self {
        Self {
            name: format!("GET {path}"),
            given_name: None,
            method: "GET",
            path: Template::plain(path),
            headers: Vec::new(),
            body: None,
            expect: Expect::success(),
            captures: Vec::new(),
            attempts: 1,
            in_a_row: 1,
            follow_redirects: 0,
        }
    }

    /// Whether it may be sent again when nobody knows what became of it.
    pub fn is_safe(&self) -> bool {
        matches!(self.method, "GET" | "HEAD")
    }

    /// The names of the variables in what is expected.
    pub fn expected_variables(&self) -> Vec<String> {
        let mut names = Vec::new();
        let assertions = self.expect.headers.iter().map(|(_, it)| it).chain(self.expect.json.iter().map(|(_, it)| it));
        for value in assertions.filter_map(Assertion::template) {
            texts(value, &mut |text| {
                if let Ok(template) = Template::parse(text) {
                    names.extend(template.variables().map(str::to_owned));
                }
            });
        }
        let contained = self.expect.body_contains.iter().flat_map(Template::variables);
        names.extend(contained.map(str::to_owned));
        names
    }

    /// The names of the variables in what is sent.
    pub fn variables(&self) -> Vec<String> {
        let mut names: Vec<String> = self.path.variables().map(str::to_owned).collect();
        let mut add = |template: &Template| names.extend(template.variables().map(str::to_owned));
        self.headers.iter().for_each(|(_, value)| add(value));
        match &self.body {
            None => {}
            Some(RequestBody::Text(text)) => add(text),
            Some(RequestBody::Form(fields)) => fields.iter().for_each(|(_, value)| add(value)),
            Some(RequestBody::Json(json)) => texts(json, &mut |text| {
                if let Ok(template) = Template::parse(text) {
                    add(&template);
                }
            }),
        }
        names
    }
}

/// Every text in the JSON.
fn texts(json: &serde_json::Value, each: &mut impl FnMut(&str)) {
    match json {
        serde_json::Value::String(text) => each(text),
        serde_json::Value::Array(items) => items.iter().for_each(|item| texts(item, each)),
        serde_json::Value::Object(members) => members.values().for_each(|member| texts(member, each)),
        _ => {}
    }
}

/// A request as it stands in the document.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct WrittenRequest {
    /// What the report calls it, and by which `load` and `compare_with_blue` name it.
    name: Option<String>,
    /// Path and query to GET. A request has exactly one method.
    get: Option<Spanned<Template>>,
    /// Path and query to POST to.
    post: Option<Spanned<Template>>,
    /// Path and query to PUT to.
    put: Option<Spanned<Template>>,
    /// Path and query to PATCH.
    patch: Option<Spanned<Template>>,
    /// Path and query to DELETE.
    delete: Option<Spanned<Template>>,
    /// Path and query to HEAD.
    head: Option<Spanned<Template>>,
    /// Headers to send.
    #[serde(default)]
    headers: Mapping<Spanned<Template>>,
    /// JSON body; `${variables}` in its texts are replaced.
    json: Option<Spanned<serde_json::Value>>,
    /// Fields of a form as the body.
    form: Option<Spanned<Mapping<Spanned<Template>>>>,
    /// Text as the body.
    body: Option<Spanned<Template>>,
    /// What the response must be like; without it, its status must be 2xx.
    expect: Option<WrittenExpect>,
    /// Variables for later requests: the name of each, and its place in the JSON response.
    #[serde(default)]
    capture: Mapping<Spanned<String>>,
    /// How often it is sent at most until its response is as expected: 1 to 20.
    attempts: Option<Spanned<u32>>,
    /// How often in a row its response must be as expected.
    in_a_row: Option<Spanned<u32>>,
    /// How many redirects are followed, within the listener only; 0 when missing.
    follow_redirects: Option<Spanned<u32>>,
}

/// Places in a JSON document, and what must stand there.
pub(super) type WrittenJsonExpectations = Mapping<Spanned<Assertions>>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct WrittenExpect {
    /// Its status: `200`, `[200, 204]` or `2xx`.
    status: Option<Statuses>,
    /// Headers it must have: the value of each, or an assertion on it.
    #[serde(default)]
    headers: Mapping<Spanned<Assertions>>,
    /// What its JSON must have: a place such as `$.status`, and the value there, or an assertion on it.
    #[serde(default)]
    json: WrittenJsonExpectations,
    /// Text its body must contain.
    body_contains: Option<Spanned<Template>>,
    /// A regular expression that must be found in its body.
    body_matches: Option<Pattern>,
    /// Longest time it may take.
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
        let body = self.judge.keep(self.body(request.json, request.form, request.body, variables));
        let expect = request.expect.map_or_else(Expect::success, |expect| self.expect(expect, variables));
        let in_a_row = self.number(request.in_a_row, 1..=MOST_ATTEMPTS, "times in a row").unwrap_or(1);
        let attempts = match request.attempts {
            Some(attempts) if (1..in_a_row).contains(&attempts.value) => {
                let message = format!("{in_a_row} times in a row take at least {in_a_row} attempts");
                self.judge.note(self.wrong(attempts.referenced, message));
                in_a_row
            }
            attempts => self.number(attempts, 1..=MOST_ATTEMPTS, "attempts").unwrap_or(in_a_row),
        };
        let follow_redirects =
            self.number(request.follow_redirects, 0..=MOST_REDIRECTS, "redirects").unwrap_or_default();
        let captures = self.captures(request.capture, variables);
        let (method, path) = target?;
        let given_name = request.name;
        let name = match &given_name {
            Some(name) => format!("{name} ({method} {path})"),
            None => format!("{method} {path}"),
        };
        Some(Request {
            name,
            given_name,
            method,
            path,
            headers,
            body: body?,
            expect,
            captures,
            attempts,
            in_a_row,
            follow_redirects,
        })
    }

    fn body(
        &self,
        json: Option<Spanned<serde_json::Value>>,
        form: Option<Spanned<Mapping<Spanned<Template>>>>,
        text: Option<Spanned<Template>>,
        variables: &[String],
    ) -> Result<Option<RequestBody>, DocumentError> {
        let places = [
            json.as_ref().map(|json| json.referenced),
            form.as_ref().map(|form| form.referenced),
            text.as_ref().map(|text| text.referenced),
        ];
        if let Some(second) = places.into_iter().flatten().nth(1) {
            return Err(self.wrong(second, "a request has one of `json`, `form` and `body`"));
        }
        Ok(match (json, form, text) {
            (Some(json), ..) => Some(RequestBody::Json(self.json(json, variables)?)),
            (None, Some(form), _) => Some(RequestBody::Form(self.fields(form.value, variables))),
            (None, None, Some(text)) => Some(RequestBody::Text(self.secretive(text, variables)?)),
            (None, None, None) => None,
        })
    }

    fn number(&self, written: Option<Spanned<u32>>, valid: RangeInclusive<u32>, what: &str) -> Option<u32> {
        self.part(written, |number| {
            if valid.contains(&number.value) {
                return Ok(number.value);
            }
            Err(self.wrong(number.referenced, format!("expected {} to {} {what}", valid.start(), valid.end())))
        })
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
            if VARIABLES.contains(&name.value.as_str()) || self.secrets.contains(&name.value) {
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
        let json = self.json_expectations(written.json, variables);
        let mut headers = Vec::new();
        for (name, assertions) in written.headers.0 {
            let assertions = self.judge.keep(self.assertions(assertions, variables)).unwrap_or_default();
            headers.extend(assertions.into_iter().map(|assertion| (name.value.to_lowercase(), assertion)));
        }
        let body_contains = self.part(written.body_contains, |text| self.template(text, variables));
        let status = written.status.unwrap_or(Statuses::Class(2));
        Expect { status, headers, json, body_contains, body_matches: written.body_matches, within: written.within }
    }

    fn assertions(&self, written: Spanned<Assertions>, variables: &[String]) -> Result<Vec<Assertion>, DocumentError> {
        for template in written.value.0.iter().filter_map(Assertion::template) {
            self.json_variables(template, written.referenced, variables)?;
        }
        Ok(written.value.0)
    }

    pub(super) fn json_expectations(
        &self,
        written: WrittenJsonExpectations,
        variables: &[String],
    ) -> Vec<(JsonPath, Assertion)> {
        let mut json = Vec::new();
        for (path, assertions) in written.0 {
            let place = path.referenced;
            let path = JsonPath::parse(&path.value).map_err(|message| self.wrong(place, message));
            let path = self.judge.keep(path);
            let assertions = self.judge.keep(self.assertions(assertions, variables)).unwrap_or_default();
            json.extend(path.iter().flat_map(|path| assertions.iter().map(|it| (path.clone(), it.clone()))));
        }
        json
    }

    fn headers(&self, written: Mapping<Spanned<Template>>, variables: &[String]) -> Vec<(String, Template)> {
        for (name, _) in written.0.iter().filter(|(name, _)| name.value.eq_ignore_ascii_case("host")) {
            self.judge.note(self.wrong(name.referenced, "the host is set by `test_traffic.host`"));
        }
        self.fields(written, variables)
    }

    /// Headers or fields of a form.
    fn fields(&self, written: Mapping<Spanned<Template>>, variables: &[String]) -> Vec<(String, Template)> {
        let mut fields = Vec::new();
        for (name, value) in written.0 {
            if names_a_secret(&name.value) && value.value.variables().next().is_none() {
                self.judge.note(self.wrong(name.referenced, in_plain_sight(&name.value)));
            }
            let value = self.judge.keep(self.secretive(value, variables));
            fields.extend(value.map(|value| (name.value, value)));
        }
        fields
    }

    pub(super) fn json(
        &self,
        json: Spanned<serde_json::Value>,
        variables: &[String],
    ) -> Result<serde_json::Value, DocumentError> {
        if let Some(key) = inline_secret(&json.value) {
            return Err(self.wrong(json.referenced, in_plain_sight(key)));
        }
        self.json_variables(&json.value, json.referenced, &self.with_secrets(variables))?;
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
            Some(secret) if self.secrets.iter().any(|known| known == secret) => {
                let message = format!("the secret `{secret}` may stand in `headers`, `json`, `form` and `body` only");
                Err(self.wrong(place, message))
            }
            Some(unknown) => {
                let known: Vec<&str> = variables.iter().map(String::as_str).collect();
                let message = format!("nothing before this sets `${{{unknown}}}`; {}", one_of(unknown, &known));
                Err(self.wrong(place, message))
            }
        }
    }

    /// As [`Self::template`], where a secret may stand too: it reaches no log of the way there.
    fn secretive(&self, template: Spanned<Template>, variables: &[String]) -> Result<Template, DocumentError> {
        self.template(template, &self.with_secrets(variables))
    }

    fn with_secrets(&self, variables: &[String]) -> Vec<String> {
        variables.iter().chain(&self.secrets).cloned().collect()
    }
}

fn in_plain_sight(key: &str) -> String {
    format!(
        "`{key}` holds a secret in plain sight, and a plan is no place for one; name it under `secrets`, or capture it \
         from an earlier request, and write `${{name}}`"
    )
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

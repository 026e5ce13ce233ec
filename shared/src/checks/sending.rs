//! Sending one request of a plan to a listener, and judging the response.

use std::time::Duration;

use serde_json::Value;

use super::route;
use super::words::{quoted, shortened};
use crate::check::CheckContext;
use crate::deployment::Listener;
use crate::document::names_a_secret;
use crate::plan::{Request, RequestBody, Template, Values, plain_text};
use crate::ports::{ProbeError, ProbeRequest, ProbeResponse};

/// Longest wait for a response where the plan sets none.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of a body that are read.
const MAX_BODY: usize = 256 * 1024;

/// A response that is not as expected, or none.
#[derive(Debug)]
pub(super) struct Unfit {
    /// What was seen.
    pub(super) evidence: String,
    /// What to do.
    pub(super) remedy: String,
    /// Who is to blame.
    pub(super) cause: Cause,
}

/// Who is to blame for a response that is not as expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The application answered so.
    Application,
    /// The load balancer answered 502, 503 or 504 itself, or the connection broke: it may be shifting.
    Edge,
    /// Nothing listens: nobody can be asked.
    Nobody,
}

/// Sends it. `path` comes from the plan; variables of its values are filled in.
pub(super) async fn send(
    context: &CheckContext,
    listener: &Listener,
    planned_host: Option<&str>,
    request: &Request,
    values: &Values,
) -> Result<ProbeResponse, ProbeError> {
    let mut headers: Vec<(String, String)> =
        request.headers.iter().map(|(name, value)| (name.clone(), value.fill(values))).collect();
    let body = request.body.as_ref().map(|body| match body {
        RequestBody::Text(text) => text.fill(values).into_bytes(),
        RequestBody::Json(json) => {
            if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                headers.push(("content-type".to_owned(), "application/json".to_owned()));
            }
            filled(json, values).to_string().into_bytes()
        }
    });
    let limit = request.expect.within.map_or(TIMEOUT, |within| within.duration().max(TIMEOUT));
    let probe = ProbeRequest {
        method: request.method.to_owned(),
        url: route::url(listener, &request.path.fill_path(values)),
        host: route::host(listener, &route::pair(&context.deployment), planned_host),
        headers,
        body,
        timeout: limit,
        max_body: MAX_BODY,
    };
    context.ports.probe.send(probe).await
}

/// The response if it is as expected, else what is wrong with it.
pub(super) fn judge<'r>(
    request: &Request,
    listener: &Listener,
    response: &'r Result<ProbeResponse, ProbeError>,
    values: &Values,
) -> Result<&'r ProbeResponse, Unfit> {
    let name = &request.name;
    let response = match response {
        Ok(response) => response,
        Err(error) if error.refused => {
            return Err(Unfit {
                evidence: format!(
                    "{name}: nothing listens on port {} of the load balancer ({})",
                    listener.port, error.reason
                ),
                remedy: route::open_the_port(listener),
                cause: Cause::Nobody,
            });
        }
        Err(error) => {
            return Err(Unfit {
                evidence: format!("{name} got no answer: {}", error.reason),
                remedy: format!("Look in green's log for this request; {}", lower(&route::open_the_port(listener))),
                cause: Cause::Edge,
            });
        }
    };
    let status = response.status;
    if matches!(status, 502..=504) && response.is_from_load_balancer() && !request.expect.status.contain(status) {
        return Err(Unfit {
            evidence: format!("the load balancer itself answered {name} with {status}: {}", edge_words(status)),
            remedy: "Look at the health of green's targets, and in green's log for exits and slow requests.".to_owned(),
            cause: Cause::Edge,
        });
    }
    let Some(evidence) = mismatch(request, response, values) else { return Ok(response) };
    let remedy = if status / 100 == 3 {
        "Expect this redirect in the plan, or ask where it leads; a listener that redirects to HTTPS tests nothing."
            .to_owned()
    } else {
        format!("Find out in green's log why {name} is not answered as expected.")
    };
    Err(Unfit { evidence: format!("{name} {evidence}"), remedy, cause: Cause::Application })
}

/// The first thing about the response that is not as expected.
fn mismatch(request: &Request, response: &ProbeResponse, values: &Values) -> Option<String> {
    let expect = &request.expect;
    if !expect.status.contain(response.status) {
        let redirect = match response.header("location") {
            Some(_) if response.status / 100 == 3 => "; redirects are not followed",
            _ => "",
        };
        let body = quoted(&response.body);
        return Some(format!("answered {} with {body}, expected {}{redirect}", response.status, expect.status));
    }
    // Header values may be secret: neither is repeated.
    let differs = |(name, value): &&(String, Template)| response.header(name) != Some(value.fill(values).as_str());
    if let Some((name, _)) = expect.headers.iter().find(differs) {
        let state = if response.header(name).is_some() { "another value in" } else { "no" };
        return Some(format!("answered {} with {state} header {name}, expected what the plan says", response.status));
    }
    if let Some(text) = &expect.body_contains {
        let wanted = text.fill(values);
        if !String::from_utf8_lossy(&response.body).contains(&wanted) {
            return Some(format!(
                "answered {} with {}, expected it to contain \"{}\"",
                response.status,
                quoted(&response.body),
                shortened(&wanted)
            ));
        }
    }
    if let Some(wrong) = json_mismatch(request, response, values) {
        return Some(wrong);
    }
    let limit = expect.within.filter(|within| response.took > within.duration())?;
    Some(format!("took {} ms, expected at most {limit}", response.took.as_millis()))
}

fn json_mismatch(request: &Request, response: &ProbeResponse, values: &Values) -> Option<String> {
    if request.expect.json.is_empty() {
        return None;
    }
    let status = response.status;
    let Ok(body) = serde_json::from_slice::<Value>(&response.body) else {
        let why = if response.truncated { "a body too long to read" } else { "a body that is not JSON" };
        return Some(format!("answered {status} with {why}: {}", quoted(&response.body)));
    };
    for (path, wanted) in &request.expect.json {
        let found = path.find(&body);
        let wanted_filled = filled(wanted, values);
        // What comes from a variable is compared as text: 42 of the task definition is "42" of the application.
        let same = match (found, wanted) {
            (Some(found), Value::String(text)) if text.contains("${") => {
                plain_text(found) == plain_text(&wanted_filled)
            }
            (Some(found), _) => *found == wanted_filled,
            (None, _) => false,
        };
        if !same {
            let secret = names_a_secret(&path.to_string());
            let shown = match found {
                None => "nothing".to_owned(),
                Some(_) if secret => "another value".to_owned(),
                Some(found) => shortened(&found.to_string()),
            };
            let wanted = if secret { "what the plan says".to_owned() } else { shortened(&wanted_filled.to_string()) };
            return Some(format!("answered {status} with {shown} at {path}, expected {wanted}"));
        }
    }
    None
}

/// The JSON with every variable in its texts replaced.
fn filled(json: &Value, values: &Values) -> Value {
    match json {
        Value::String(text) => {
            Template::parse(text).map_or_else(|_| json.clone(), |template| template.fill_json(values))
        }
        Value::Array(items) => items.iter().map(|item| filled(item, values)).collect(),
        Value::Object(members) => members.iter().map(|(key, member)| (key.clone(), filled(member, values))).collect(),
        other => other.clone(),
    }
}

/// What the load balancer means by its own status.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html>
fn edge_words(status: u16) -> &'static str {
    match status {
        502 => "the target closed the connection or answered nonsense",
        503 => "no target could take the request",
        _ => "the target did not answer in time",
    }
}

fn lower(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

//! Judging the response to a request of a plan.

use serde_json::Value;

use super::route;
use super::sending::Received;
use super::words::{quoted, shortened};
use crate::deployment::Listener;
use crate::document::names_a_secret;
use crate::plan::{Assertion, JsonPath, Request, Values};
use crate::ports::{ProbeError, ProbeResponse};

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

/// The response if it is as expected, else what is wrong with it.
pub(super) fn judge<'r>(
    request: &Request,
    listener: &Listener,
    received: &'r Result<Received, ProbeError>,
    values: &Values,
) -> Result<&'r ProbeResponse, Unfit> {
    let name = &request.name;
    let Received { response, stopped } = match received {
        Ok(received) => received,
        Err(error) => return Err(unanswered(name, listener, error)),
    };
    let status = response.status;
    if let Some(meaning) = of_load_balancer(request, response) {
        return Err(Unfit {
            evidence: format!("the load balancer itself answered {name} with {status}: {meaning}"),
            remedy: "Look at the health of green's targets, and in green's log for exits and slow requests.".to_owned(),
            cause: Cause::Edge,
        });
    }
    let Some(evidence) = mismatch(request, response, stopped.as_deref(), values) else { return Ok(response) };
    let remedy = if status / 100 == 3 {
        "Expect this redirect in the plan, or ask where it leads; a listener that redirects to HTTPS tests nothing."
            .to_owned()
    } else {
        format!("Find out in green's log why {name} is not answered as expected.")
    };
    Err(Unfit { evidence: format!("{name} {evidence}"), remedy, cause: Cause::Application })
}

fn unanswered(name: &str, listener: &Listener, error: &ProbeError) -> Unfit {
    let port = listener.port;
    if error.refused {
        return Unfit {
            evidence: format!("{name}: nothing listens on port {port} of the load balancer ({})", error.reason),
            remedy: route::open_the_port(listener),
            cause: Cause::Nobody,
        };
    }
    let remedy = if error.reason.contains("certificate") {
        "Put a valid certificate for the name that is sent on the listener, or correct `test_traffic.host` in the plan; \
         a private authority's certificate belongs into GREENLIGHT_CA_BUNDLE."
            .to_owned()
    } else {
        format!("Look in green's log for this request; {}", lower(&route::open_the_port(listener)))
    };
    Unfit { evidence: format!("{name} got no answer: {}", error.reason), remedy, cause: Cause::Edge }
}

/// What the load balancer means by its own 502, 503 or 504; `None` for every other answer, and when it is expected.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html>
pub(super) fn of_load_balancer(request: &Request, response: &ProbeResponse) -> Option<&'static str> {
    let meaning = match response.status {
        502 => "the target closed the connection or answered nonsense",
        503 => "no target could take the request",
        504 => "the target did not answer in time",
        _ => return None,
    };
    (response.is_from_load_balancer() && !request.expect.status.contain(response.status)).then_some(meaning)
}

/// The first thing about the response that is not as expected.
pub(super) fn mismatch(
    request: &Request,
    response: &ProbeResponse,
    stopped: Option<&str>,
    values: &Values,
) -> Option<String> {
    let expect = &request.expect;
    let status = response.status;
    let body = || body(response, values);
    if !expect.status.contain(status) {
        let stopped = stopped.map(|why| format!("; {why}")).unwrap_or_default();
        return Some(format!("answered {status} with {}, expected {}{stopped}", body(), expect.status));
    }
    // Header values may be secret: neither is repeated.
    let differs = |(name, wanted): &&(String, Assertion)| !wanted.holds_for_text(response.header(name), values);
    if let Some((name, wanted)) = expect.headers.iter().find(differs) {
        let state = match (response.header(name), wanted) {
            (None, _) => "no",
            (Some(_), Assertion::Exists(_)) => "a",
            (Some(_), _) => "another value in",
        };
        return Some(format!("answered {status} with {state} header {name}, expected what the plan says"));
    }
    if let Some(encoding) = encoding(response).filter(|_| expect.looks_at_body()) {
        let encoding = shortened(encoding);
        return Some(format!("answered {status} with a body in {encoding}, which was not asked for and is not read"));
    }
    if let Some(text) = &expect.body_contains {
        let wanted = text.fill(values);
        if !String::from_utf8_lossy(&response.body).contains(&wanted) {
            let wanted = shortened(&values.clean(&wanted));
            return Some(format!("answered {status} with {}, expected it to contain \"{wanted}\"", body()));
        }
    }
    if let Some(pattern) = &expect.body_matches
        && !pattern.is_found_in(&String::from_utf8_lossy(&response.body))
    {
        return Some(format!("answered {status} with {}, expected it to match {pattern}", body()));
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
    let Ok(json) = serde_json::from_slice::<Value>(&response.body) else {
        let why = if response.truncated { "a body too long to read" } else { "a body that is not JSON" };
        return Some(format!("answered {status} with {why}: {}", body(response, values)));
    };
    first_difference(&request.expect.json, &json, values).map(|wrong| format!("answered {status} with {wrong}"))
}

/// The first place of a JSON document where something else stands than is wanted: `41 at $.version, expected 42`.
pub(super) fn first_difference(expected: &[(JsonPath, Assertion)], json: &Value, values: &Values) -> Option<String> {
    for (path, wanted) in expected {
        let found = path.find(json);
        if wanted.holds(found, values) {
            continue;
        }
        let secret = names_a_secret(&path.to_string());
        let shown = match found {
            None => "nothing".to_owned(),
            Some(_) if secret => "another value".to_owned(),
            Some(found) => shortened(&values.clean(&found.to_string())),
        };
        let wanted = if secret && !matches!(wanted, Assertion::Exists(_)) {
            "what the plan says".to_owned()
        } else {
            shortened(&values.clean(&wanted.wanted(values)))
        };
        return Some(format!("{shown} at {path}, expected {wanted}"));
    }
    None
}

/// How a body is packed that nobody asked to pack: no request of ours says that it accepts any encoding. It is never
/// unpacked, however small it says it is.
pub(super) fn encoding(response: &ProbeResponse) -> Option<&str> {
    response.header("content-encoding").filter(|encoding| !encoding.eq_ignore_ascii_case("identity"))
}

/// The body as evidence may quote it.
pub(super) fn body(response: &ProbeResponse, values: &Values) -> String {
    match encoding(response) {
        Some(encoding) => format!("a body in {}", shortened(encoding)),
        None => quoted(values.clean(&String::from_utf8_lossy(&response.body)).as_bytes()),
    }
}

fn lower(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

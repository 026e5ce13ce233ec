//! What a mutant makes of an answer.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, USER_AGENT};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use serde_json::Value;

/// A change to the answers of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "`mutants::ALL` says what each does")]
pub enum Twist {
    ExitsAtStart,
    Health500,
    Crashes,
    Error,
    Redirects,
    EmptyBody,
    Html,
    FieldMissing,
    FieldRenamed,
    NumbersAsText,
    ContentType,
    Stale,
    Slow,
    CutBodies,
    Drops,
    FailsUnderLoad,
}

/// How much longer a slow answer takes.
const SLOW_BY: Duration = Duration::from_millis(800);
/// Requests after which a process that crashes does.
const CRASHES_AFTER: u64 = 3;
/// Of so many requests one gets no answer.
const DROPS_ONE_OF: u64 = 3;
/// What a task answers in one second before it fails under load.
const ANSWERS_A_SECOND: u32 = 10;

/// A change, and what came before.
pub(super) struct Twisted {
    twist: Twist,
    path: String,
    requests: AtomicU64,
    load: Mutex<(Instant, u32)>,
    first_answers: Mutex<HashMap<String, Response<Bytes>>>,
}

/// What becomes of a request before the process is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The process is asked, after this long.
    Asked(Duration),
    /// Answered without it.
    Answered(StatusCode),
    /// The connection is closed.
    Dropped,
    /// The process ends.
    Crash,
}

/// What the client gets of an answer.
pub(super) enum Sent {
    Whole(Response<Bytes>),
    /// The connection breaks after half of the body.
    Half(Response<Bytes>),
}

impl Twisted {
    pub(super) fn new(twist: Twist, path: String) -> Self {
        Self {
            twist,
            path,
            requests: AtomicU64::new(0),
            load: Mutex::new((Instant::now(), 0)),
            first_answers: Mutex::default(),
        }
    }

    /// Before the process is asked. Health checks are spared, but for the mutant that is about them.
    pub(super) fn before(&self, request: &Parts) -> Fate {
        if is_health_check(request) {
            let fails = self.twist == Twist::Health500;
            return if fails { Fate::Answered(StatusCode::INTERNAL_SERVER_ERROR) } else { Fate::Asked(Duration::ZERO) };
        }
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        match self.twist {
            Twist::Crashes if number > CRASHES_AFTER => Fate::Crash,
            Twist::Drops if number.is_multiple_of(DROPS_ONE_OF) => Fate::Dropped,
            Twist::Slow => Fate::Asked(SLOW_BY),
            Twist::FailsUnderLoad if self.is_too_much() => Fate::Answered(StatusCode::SERVICE_UNAVAILABLE),
            Twist::Error if self.is_the_path(request) => Fate::Answered(StatusCode::INTERNAL_SERVER_ERROR),
            _ => Fate::Asked(Duration::ZERO),
        }
    }

    /// What is made of the process's answer.
    pub(super) fn after(&self, request: &Parts, mut answer: Response<Bytes>) -> Sent {
        if is_health_check(request) {
            return Sent::Whole(answer);
        }
        if self.twist == Twist::CutBodies && answer.body().len() > 1 {
            return Sent::Half(answer);
        }
        if !self.is_the_path(request) || !answer.status().is_success() {
            return Sent::Whole(answer);
        }
        match self.twist {
            Twist::Redirects => {
                *answer.status_mut() = StatusCode::FOUND;
                answer.headers_mut().insert(LOCATION, HeaderValue::from_static("/"));
            }
            Twist::EmptyBody => *answer.body_mut() = Bytes::new(),
            Twist::Html => {
                answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
                *answer.body_mut() = Bytes::from_static(b"<!DOCTYPE html><title>Sorry</title>Come back later.");
            }
            Twist::ContentType => {
                answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            }
            Twist::FieldMissing => edit(&mut answer, without_last_field),
            Twist::FieldRenamed => edit(&mut answer, with_first_field_renamed),
            Twist::NumbersAsText => edit(&mut answer, with_numbers_as_text),
            Twist::Stale => return Sent::Whole(self.first_answer(request, answer)),
            _ => {}
        }
        answer.headers_mut().remove(CONTENT_LENGTH);
        Sent::Whole(answer)
    }

    fn is_the_path(&self, request: &Parts) -> bool {
        request.uri.path().starts_with(&self.path)
    }

    fn is_too_much(&self) -> bool {
        let mut load = self.load.lock().expect("nothing panics while it counts");
        if load.0.elapsed() >= Duration::from_secs(1) {
            *load = (Instant::now(), 0);
        }
        load.1 += 1;
        load.1 > ANSWERS_A_SECOND
    }

    fn first_answer(&self, request: &Parts, answer: Response<Bytes>) -> Response<Bytes> {
        let mut first = self.first_answers.lock().expect("nothing panics while it looks");
        first.entry(request.method.to_string()).or_insert(answer).clone()
    }
}

fn is_health_check(request: &Parts) -> bool {
    let agent = request.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    agent.starts_with("ELB-HealthChecker/")
}

/// Changes the JSON of an answer; what is no JSON stays as it is.
fn edit(answer: &mut Response<Bytes>, change: fn(&mut Value)) {
    if let Ok(mut json) = serde_json::from_slice::<Value>(answer.body()) {
        change(&mut json);
        *answer.body_mut() = Bytes::from(json.to_string());
    }
}

/// The object itself, or each of a list.
fn objects(json: &mut Value, change: &dyn Fn(&mut serde_json::Map<String, Value>)) {
    match json {
        Value::Object(fields) => change(fields),
        Value::Array(items) => items.iter_mut().for_each(|item| objects(item, change)),
        _ => {}
    }
}

fn without_last_field(json: &mut Value) {
    objects(json, &|fields| {
        if let Some(last) = fields.keys().next_back().cloned() {
            fields.remove(&last);
        }
    });
}

fn with_first_field_renamed(json: &mut Value) {
    objects(json, &|fields| {
        if let Some(first) = fields.keys().next().cloned()
            && let Some(value) = fields.remove(&first)
        {
            fields.insert(format!("{first}_"), value);
        }
    });
}

fn with_numbers_as_text(json: &mut Value) {
    match json {
        Value::Number(number) => *json = Value::String(number.to_string()),
        Value::Array(items) => items.iter_mut().for_each(with_numbers_as_text),
        Value::Object(fields) => fields.values_mut().for_each(with_numbers_as_text),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str, agent: &str) -> Parts {
        let request = http::Request::get(path).header(USER_AGENT, agent).body(()).expect("a request");
        request.into_parts().0
    }

    fn body(twist: Twist, path: &str, json: &str) -> String {
        let twisted = Twisted::new(twist, "/orders/".to_owned());
        let answer = Response::new(Bytes::from(json.to_owned()));
        match twisted.after(&request(path, "greenlight/0.1.0"), answer) {
            Sent::Whole(answer) | Sent::Half(answer) => String::from_utf8_lossy(answer.body()).into_owned(),
        }
    }

    #[test]
    fn only_the_one_path_is_changed() {
        let order = r#"{"id":7,"lines":[{"n":1}],"sku":"A1"}"#;
        assert_eq!(body(Twist::FieldMissing, "/orders/7", order), r#"{"id":7,"lines":[{"n":1}]}"#);
        assert_eq!(body(Twist::FieldRenamed, "/orders/7", order), r#"{"id_":7,"lines":[{"n":1}],"sku":"A1"}"#);
        assert_eq!(body(Twist::NumbersAsText, "/orders/7", order), r#"{"id":"7","lines":[{"n":"1"}],"sku":"A1"}"#);
        assert_eq!(body(Twist::EmptyBody, "/orders/7", order), "");
        assert_eq!(body(Twist::FieldMissing, "/ready", order), order);
    }

    /// A mutant that its health check gives away would not try the plan.
    #[test]
    fn health_checks_are_spared() {
        let health_check = request("/orders/7", "ELB-HealthChecker/2.0");
        for twist in [Twist::Error, Twist::Slow, Twist::Crashes, Twist::Drops, Twist::FailsUnderLoad] {
            let twisted = Twisted::new(twist, "/orders/".to_owned());
            for _ in 0..50 {
                assert_eq!(twisted.before(&health_check), Fate::Asked(Duration::ZERO), "{twist:?}");
            }
        }
        let twisted = Twisted::new(Twist::Health500, "/".to_owned());
        assert_eq!(twisted.before(&health_check), Fate::Answered(StatusCode::INTERNAL_SERVER_ERROR));
        assert_eq!(twisted.before(&request("/orders/7", "curl/8")), Fate::Asked(Duration::ZERO));
    }

    #[test]
    fn what_counts_requests_strikes_when_it_is_time() {
        let fates = |twist, number: usize| {
            let twisted = Twisted::new(twist, "/".to_owned());
            (0..number).map(|_| twisted.before(&request("/", "curl/8"))).collect::<Vec<_>>()
        };
        let asked = Fate::Asked(Duration::ZERO);
        assert_eq!(fates(Twist::Crashes, 4), [asked, asked, asked, Fate::Crash]);
        assert_eq!(fates(Twist::Drops, 4), [asked, asked, Fate::Dropped, asked]);
        let under_load = fates(Twist::FailsUnderLoad, 12);
        assert_eq!(
            under_load[9..],
            [asked, Fate::Answered(StatusCode::SERVICE_UNAVAILABLE), Fate::Answered(StatusCode::SERVICE_UNAVAILABLE)]
        );
    }

    #[test]
    fn a_stale_answer_is_the_first_one() {
        let twisted = Twisted::new(Twist::Stale, "/orders/".to_owned());
        let ask = |path: &str, body: &'static str| match twisted
            .after(&request(path, "curl/8"), Response::new(Bytes::from_static(body.as_bytes())))
        {
            Sent::Whole(answer) | Sent::Half(answer) => answer.into_body(),
        };
        assert_eq!(ask("/orders/1", "one"), "one");
        assert_eq!(ask("/orders/2", "two"), "one");
    }
}

//! What every client of AWS expects of an answer, whatever it has asked.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::Value;

/// Bytes of an answer at most, beside those of the request that are told back.
const LONGEST: usize = 256 * 1024;

/// How often a byte of the request is told back at most, and how much longer it becomes.
const TOLD_BACK: usize = 64;

/// It has a status that says who is to blame, a request id, and a body that its content type's parser reads to the end.
pub(super) fn is_of_aws(response: Response<Full<Bytes>>, method: &Method, asked: usize) {
    let status = response.status();
    assert!(status.is_success() || status.is_client_error() || status == StatusCode::NOT_IMPLEMENTED, "{status}");
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().expect("plain text").to_owned());
    assert!(header("x-amzn-requestid").is_some_and(|id| id.len() == 36), "it has a request id");
    let content_type = header(CONTENT_TYPE.as_str());
    let code = header("x-amzn-errortype").or_else(|| header("x-amzn-query-error"));
    let body = now(response.into_body());
    assert!(body.len() <= LONGEST + asked * TOLD_BACK, "{} bytes for {asked}", body.len());
    let code = code.or_else(|| match content_type.as_deref() {
        Some("application/x-amz-json-1.0" | "application/x-amz-json-1.1" | "application/json") => in_json(&body),
        Some("application/cbor") => in_cbor(&body),
        Some("text/xml" | "application/xml") if method == Method::HEAD && body.is_empty() => Some("unsaid".to_owned()),
        Some("text/xml" | "application/xml") => in_xml(&body),
        Some("binary/octet-stream") => None,
        None if body.is_empty() => None,
        other => panic!("{other:?} is of no protocol"),
    });
    assert!(status.is_success() || code.is_some_and(|code| !code.is_empty()), "{status} names no error");
}

/// The body, which is there at once.
fn now(body: Full<Bytes>) -> Bytes {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(body.collect()).expect("it is in memory").to_bytes()
}

/// The code of the error in it, if there is one.
fn in_json(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).expect("it is JSON");
    assert!(body.is_object(), "{body} is no structure");
    body["__type"].as_str().map(str::to_owned)
}

fn in_cbor(body: &[u8]) -> Option<String> {
    let body: ciborium::Value = ciborium::from_reader(body).expect("it is CBOR");
    let members = body.as_map().expect("a structure");
    let code = members.iter().find(|(name, _)| name.as_text() == Some("__type"));
    code.and_then(|(_, code)| code.as_text()).map(str::to_owned)
}

fn in_xml(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).expect("it is UTF-8");
    let foreign = text.chars().find(|letter| !is_of_xml(*letter));
    assert_eq!(foreign, None, "no parser of XML 1.0 reads this");
    let mut reader = Reader::from_str(text);
    let (mut open, mut roots, mut code) = (Vec::new(), 0, None);
    loop {
        match reader.read_event().expect("it is XML") {
            Event::Start(element) => {
                roots += usize::from(open.is_empty());
                open.push(element.name().as_ref().to_owned());
            }
            Event::End(_) => drop(open.pop()),
            Event::Text(text) if open.last().is_some_and(|name| name == "Code") => {
                code = Some(text.into_inner().into_owned());
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!((open.len(), roots), (0, 1), "it has one root, which is closed");
    code
}

/// <https://www.w3.org/TR/xml/#charsets>
fn is_of_xml(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

//! Lambda, as far as a deployment of a function needs it: invocations, aliases and versions, by path.
//! <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use super::body as full;
use super::refusal::Refusal;
use crate::world::functions::{Alias, Function, Invocation, InvocationStatus, LATEST};
use crate::world::{State, World};

/// What is implemented.
pub(super) const OPERATIONS: [&str; 4] = ["Invoke", "GetAlias", "GetFunctionConfiguration", "ListVersionsByFunction"];

/// Bytes of a log that an answer carries.
const LOG_TAIL: usize = 4096;

/// The beginning of every path.
const FUNCTIONS: &str = "/2015-03-31/functions";

/// The operation of a request, by method and path; what is not implemented by these.
pub(super) fn operation(parts: &Parts) -> String {
    let path = parts.uri.path();
    let rest: Vec<&str> = path.strip_prefix(FUNCTIONS).unwrap_or_default().split('/').skip(1).collect();
    let operation = match (&parts.method, rest.as_slice()) {
        (&Method::POST, [_, "invocations"]) => "Invoke",
        (&Method::GET, [_, "aliases", _]) => "GetAlias",
        (&Method::PUT, [_, "aliases", _]) => "UpdateAlias",
        (&Method::GET, [_, "aliases"]) => "ListAliases",
        (&Method::GET, [_, "configuration"]) => "GetFunctionConfiguration",
        (&Method::GET, [_, "versions"]) => "ListVersionsByFunction",
        (&Method::GET, [_]) if path.starts_with(FUNCTIONS) && !rest[0].is_empty() => "GetFunction",
        (&Method::GET, [] | [""]) if path.starts_with(FUNCTIONS) => "ListFunctions",
        (method, _) => return format!("{method} {path}"),
    };
    operation.to_owned()
}

/// Answers a request.
pub(super) async fn answer(
    world: &World,
    operation: &str,
    parts: &Parts,
    body: &Bytes,
) -> Result<Response<Full<Bytes>>, Refusal> {
    let path = parts.uri.path().strip_prefix(FUNCTIONS).unwrap_or_default();
    let words: Vec<String> = path.split('/').skip(1).map(decoded).collect();
    let query = parts.uri.query().unwrap_or_default();
    let qualifier = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "Qualifier");
    let qualifier = qualifier.map(|(_, qualifier)| qualifier.into_owned());
    let (name, in_name) = name(words.first().map(String::as_str).unwrap_or_default());
    let qualifier = qualifier.or(in_name).filter(|it| it != LATEST).unwrap_or_default();
    match operation {
        "Invoke" => invoke(world, &name, &qualifier, parts, body).await,
        "GetAlias" => {
            let alias = words.get(2).map(String::as_str).unwrap_or_default();
            world
                .read(|state| state.alias(&name, alias).map(told_alias))
                .map(ok)
                .ok_or_else(|| not_found(format!("Cannot find alias arn: {}:{alias}", arn(&name))))
        }
        "GetFunctionConfiguration" => world.read(|state| {
            let version = match state.alias(&name, &qualifier) {
                Some(alias) => alias.version.clone(),
                None if qualifier.is_empty() => LATEST.to_owned(),
                None => qualifier.clone(),
            };
            let function = state.version(&name, &version).or_else(|| latest(state, &name, &version));
            function.map(|function| ok(told(function))).ok_or_else(|| no_function(&name, &qualifier))
        }),
        "ListVersionsByFunction" => world.read(|state| {
            let versions: Vec<Value> = state.functions.iter().filter(|it| it.name == name).map(told).collect();
            if versions.is_empty() { Err(no_function(&name, "")) } else { Ok(ok(json!({ "Versions": versions }))) }
        }),
        other => Err(Refusal::not_implemented(&format!("lambda:{other}"))),
    }
}

/// Lambda spells its message with a capital, and says who is to blame.
pub(super) fn write_error(refusal: &Refusal) -> Vec<u8> {
    let kind = if refusal.status.is_server_error() { "Service" } else { "User" };
    json!({ "Type": kind, "Message": refusal.message }).to_string().into_bytes()
}

async fn invoke(
    world: &World,
    name: &str,
    qualifier: &str,
    parts: &Parts,
    body: &Bytes,
) -> Result<Response<Full<Bytes>>, Refusal> {
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let payload = match std::str::from_utf8(body) {
        Ok("") => "{}".to_owned(),
        Ok(text) if serde_json::from_str::<Value>(text).is_ok() => text.to_owned(),
        _ => {
            let message = "Could not parse request body into json: the event is not JSON";
            return Err(Refusal::new("InvalidRequestContentException", message));
        }
    };
    let now = world.now();
    let queued = |payload: String| world.update(|state| state.invoke_qualified(name, qualifier, payload, now));
    let not_found = |error: crate::world::functions::QualifierError| not_found(error.to_string());
    match header("x-amz-invocation-type").unwrap_or("RequestResponse") {
        "DryRun" => {
            let known = world.read(|state| state.function(name).is_some());
            if known { Ok(empty(StatusCode::NO_CONTENT)) } else { Err(no_function(name, qualifier)) }
        }
        "Event" => queued(payload).map(|_| empty(StatusCode::ACCEPTED)).map_err(not_found),
        "RequestResponse" => {
            let id = queued(payload).map_err(not_found)?;
            let ended = world
                .until(|state| {
                    let invocation = state.invocation(&id)?;
                    invocation.status.is_final().then(|| invocation.clone())
                })
                .await;
            Ok(returned(world, &ended, header("x-amz-log-type") == Some("Tail")))
        }
        other => {
            let message = format!("{other} is not one of Event, RequestResponse, DryRun");
            Err(Refusal::new("InvalidParameterValueException", message))
        }
    }
}

/// What the caller is told of an invocation that has ended. A function that fails is no error of the call.
fn returned(world: &World, invocation: &Invocation, with_log: bool) -> Response<Full<Bytes>> {
    let failed = |kind: &str, message: String| {
        json!({ "errorType": kind, "errorMessage": format!("RequestId: {} Error: {message}", invocation.id) })
            .to_string()
    };
    let payload = match &invocation.status {
        InvocationStatus::Returned(payload) => payload.clone(),
        InvocationStatus::Errored(error) => error.clone(),
        InvocationStatus::TimedOut => {
            let timeout =
                world.read(|state| state.version(&invocation.function, &invocation.version).map(|it| it.timeout));
            let after = timeout.unwrap_or(Duration::ZERO).as_secs_f64();
            failed("Sandbox.Timedout", format!("Task timed out after {after:.2} seconds"))
        }
        InvocationStatus::OutOfMemory => {
            failed("Runtime.OutOfMemory", "Runtime exited with error: signal: killed".into())
        }
        InvocationStatus::Crashed(how) => failed("Runtime.ExitError", format!("Runtime exited with error: {how}")),
        InvocationStatus::NotInvokable(why) => failed("Runtime.InvalidEntrypoint", why.clone()),
        InvocationStatus::Queued | InvocationStatus::Running => failed("Runtime.Unknown", "it goes on".to_owned()),
    };
    let mut response = Response::new(full(payload));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(version) = HeaderValue::from_str(&invocation.version) {
        headers.insert("x-amz-executed-version", version);
    }
    if !matches!(invocation.status, InvocationStatus::Returned(_)) {
        headers.insert("x-amz-function-error", HeaderValue::from_static("Unhandled"));
    }
    if with_log && let Ok(log) = HeaderValue::from_str(&base64(&tail(invocation))) {
        headers.insert("x-amz-log-result", log);
    }
    response
}

/// The end of the log as Lambda writes it, with its own lines around the function's.
fn tail(invocation: &Invocation) -> Vec<u8> {
    let mut lines = vec![format!("START RequestId: {} Version: {}", invocation.id, invocation.version)];
    lines.extend(invocation.log.iter().cloned());
    lines.push(format!("END RequestId: {}", invocation.id));
    let took = invocation.took.unwrap_or_default().as_secs_f64() * 1000.0;
    lines.push(format!("REPORT RequestId: {}\tDuration: {took:.2} ms", invocation.id));
    let log = lines.join("\n").into_bytes();
    log[log.len().saturating_sub(LOG_TAIL)..].to_vec()
}

fn told_alias(alias: &Alias) -> Value {
    let mut told = json!({
        "AliasArn": alias.arn(),
        "Name": alias.name,
        "FunctionVersion": alias.version,
        "Description": "",
        "RevisionId": super::context::stable_uuid(&format!("{alias:?}")),
    });
    if let Some((version, percent)) = &alias.additional {
        told["RoutingConfig"] = json!({ "AdditionalVersionWeights": { version: f64::from(*percent) / 100.0 } });
    }
    told
}

fn told(function: &Function) -> Value {
    json!({
        "FunctionName": function.name,
        "FunctionArn": function.qualified_arn(),
        "Runtime": "provided.al2023",
        "Role": "arn:aws:iam::123456789012:role/rehearsal",
        "Handler": "bootstrap",
        "Timeout": function.timeout.as_secs(),
        "MemorySize": function.memory_mib,
        "Version": function.version,
        "State": "Active",
        "LastUpdateStatus": "Successful",
    })
}

/// `$LATEST` of a published function is its newest version.
fn latest<'s>(state: &'s State, name: &str, version: &str) -> Option<&'s Function> {
    (version == LATEST).then(|| state.functions.iter().rfind(|function| function.name == name)).flatten()
}

/// Name and qualifier of a function that may be given by ARN.
fn name(given: &str) -> (String, Option<String>) {
    let rest = given.split_once("function:").map_or(given, |(_, rest)| rest);
    match rest.split_once(':') {
        Some((name, qualifier)) => (name.to_owned(), Some(qualifier.to_owned())),
        None => (rest.to_owned(), None),
    }
}

pub(super) fn decoded(word: &str) -> String {
    form_urlencoded::parse(format!("={}", word.replace('+', "%2B")).as_bytes())
        .next()
        .map(|(_, word)| word.into_owned())
        .unwrap_or_default()
}

fn arn(name: &str) -> String {
    format!("arn:aws:lambda:{}:{}:function:{name}", crate::world::REGION, crate::world::ACCOUNT)
}

fn no_function(name: &str, qualifier: &str) -> Refusal {
    let qualified = if qualifier.is_empty() { String::new() } else { format!(":{qualifier}") };
    not_found(format!("Function not found: {}{qualified}", arn(name)))
}

fn not_found(message: String) -> Refusal {
    Refusal::new("ResourceNotFoundException", message).with_status(StatusCode::NOT_FOUND)
}

fn ok(body: Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(full(body.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = status;
    response
}

/// With padding, as in headers.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |place: usize| u32::from(three.get(place).copied().unwrap_or_default());
        let number = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = DIGITS[(number >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= three.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_padded() {
        let texts: Vec<String> = ["", "f", "fo", "foo", "foobar"].iter().map(|it| base64(it.as_bytes())).collect();
        assert_eq!(texts, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYmFy"]);
    }

    #[test]
    fn an_operation_is_told_by_method_and_path() {
        let named = |method: &str, path: &str| {
            let request = http::Request::builder().method(method).uri(path).body(()).expect("a request");
            operation(&request.into_parts().0)
        };
        assert_eq!(named("POST", "/2015-03-31/functions/orders/invocations?Qualifier=2"), "Invoke");
        assert_eq!(named("GET", "/2015-03-31/functions/orders/aliases/live"), "GetAlias");
        assert_eq!(named("GET", "/2015-03-31/functions/orders/versions"), "ListVersionsByFunction");
        assert_eq!(named("GET", "/2015-03-31/functions/"), "ListFunctions");
        assert_eq!(named("GET", "/2015-03-31/layers"), "GET /2015-03-31/layers");
    }

    #[test]
    fn a_function_may_be_given_by_arn() {
        assert_eq!(name("orders"), ("orders".to_owned(), None));
        assert_eq!(name("orders:live"), ("orders".to_owned(), Some("live".to_owned())));
        assert_eq!(name("arn:aws:lambda:eu-west-1:1:function:orders:2"), ("orders".to_owned(), Some("2".to_owned())));
    }
}

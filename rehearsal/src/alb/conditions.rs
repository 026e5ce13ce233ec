//! Whether a rule's conditions hold for a request.

use http::request::Parts;

use crate::wildcards::{Case, matches};
use crate::world::load_balancer::Condition;

/// Whether this condition holds.
pub(super) fn holds(condition: &Condition, request: &Parts) -> bool {
    match condition {
        Condition::HostHeader(patterns) => {
            let Some(host) = host(request) else { return false };
            patterns.iter().any(|pattern| matches(pattern, host, Case::Ignored))
        }
        Condition::PathPattern(patterns) => {
            patterns.iter().any(|pattern| matches(pattern, request.uri.path(), Case::Told))
        }
        Condition::HttpHeader(name, patterns) => request
            .headers
            .get_all(name.as_str())
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| patterns.iter().any(|pattern| matches(pattern, value, Case::Ignored))),
    }
}

/// The host a request names, without its port.
fn host(request: &Parts) -> Option<&str> {
    if let Some(host) = request.uri.host() {
        return Some(host);
    }
    let host = request.headers.get(http::header::HOST)?.to_str().ok()?;
    Some(match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let request =
            headers.iter().fold(http::Request::get(uri), |request, (name, value)| request.header(*name, *value));
        request.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn hosts_and_header_values_ignore_case_and_paths_do_not() {
        let request = request("/Orders?x=1", &[("host", "API.Example.com:8080"), ("x-version", "Green")]);
        let holds = |condition| holds(&condition, &request);
        assert!(holds(Condition::HostHeader(vec!["other".to_owned(), "api.*".to_owned()])));
        assert!(holds(Condition::PathPattern(vec!["/Orders".to_owned()])), "the query is no part of the path");
        assert!(!holds(Condition::PathPattern(vec!["/orders".to_owned()])));
        assert!(holds(Condition::HttpHeader("X-Version".to_owned(), vec!["green".to_owned()])));
        assert!(!holds(Condition::HttpHeader("X-Other".to_owned(), vec!["*".to_owned()])));
    }
}

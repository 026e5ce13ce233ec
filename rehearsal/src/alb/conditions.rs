//! Whether a rule's conditions hold for a request.

use http::request::Parts;

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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Told,
    Ignored,
}

/// Whether `text` is of the pattern: `*` is any run of characters, `?` is one.
fn matches(pattern: &str, text: &str, case: Case) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let same = |one: u8, other: u8| match case {
        Case::Told => one == other,
        Case::Ignored => one.eq_ignore_ascii_case(&other),
    };
    let (mut at, mut next) = (0, 0);
    // Where the last star stood, and how far it reaches so far.
    let mut star: Option<(usize, usize)> = None;
    while next < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, next));
                at += 1;
            }
            Some(&wanted) if wanted == b'?' || same(wanted, text[next]) => {
                at += 1;
                next += 1;
            }
            _ => {
                let Some((stood, reached)) = star else { return false };
                star = Some((stood, reached + 1));
                at = stood + 1;
                next = reached + 1;
            }
        }
    }
    pattern[at..].iter().all(|left| *left == b'*')
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
    fn stars_stand_for_any_run_and_question_marks_for_one() {
        let table = [
            ("*", "", true),
            ("/orders/*", "/orders/", true),
            ("/orders/*", "/orders", false),
            ("/*/lines/?", "/orders/7/lines/3", true),
            ("/*/lines/?", "/orders/7/lines/31", false),
            ("*.example.com", "a.b.example.com", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("?", "", false),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(matches(pattern, text, Case::Told), expected, "{pattern} on {text}");
        }
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

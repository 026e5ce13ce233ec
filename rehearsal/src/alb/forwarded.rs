//! The headers of a request on its way to a target.

use std::net::{IpAddr, SocketAddr};

use http::header::{CONNECTION, EXPECT, HOST, HeaderName, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderValue};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
/// The header that names a request.
pub(crate) const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Takes away what is meant for one connection only.
pub(super) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| name.trim().parse().ok())
            .collect();
        for name in named {
            headers.remove(name);
        }
        headers.remove(CONNECTION);
    }
    for name in [TE, TRAILER, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
    for name in ["keep-alive", "proxy-connection"] {
        headers.remove(name);
    }
}

/// Adds what the load balancer tells a target about the client. Returns the trace id.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html>
pub(super) fn add(
    headers: &mut HeaderMap,
    client: IpAddr,
    (scheme, port): (&'static str, u16),
    target: SocketAddr,
    seconds: i64,
) -> HeaderValue {
    strip_hop_by_hop(headers);
    // The listener has answered `100 Continue` itself.
    headers.remove(EXPECT);
    let client = match headers.get(&FORWARDED_FOR).and_then(|before| before.to_str().ok()) {
        Some(before) => value(format!("{before}, {client}")),
        None => value(client.to_string()),
    };
    headers.insert(FORWARDED_FOR, client);
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(scheme));
    headers.insert(FORWARDED_PORT, HeaderValue::from(port));
    if !headers.contains_key(HOST) {
        headers.insert(HOST, value(target.to_string()));
    }
    let trace = value(trace_id(headers.get(&TRACE_ID).and_then(|given| given.to_str().ok()), seconds));
    headers.insert(TRACE_ID, trace.clone());
    trace
}

/// The trace id to forward: the client's `Root` and own fields are kept and a `Self` is put before them; without a
/// `Root` there is a new one.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html>
fn trace_id(given: Option<&str>, seconds: i64) -> String {
    let new = || {
        let id = uuid::Uuid::new_v4().simple().to_string();
        format!("1-{seconds:08x}-{}", &id[..24])
    };
    let given = given.unwrap_or_default();
    let kept: Vec<&str> =
        given.split(';').map(str::trim).filter(|field| !field.is_empty() && !field.starts_with("Self=")).collect();
    if kept.iter().any(|field| field.starts_with("Root=")) {
        return format!("Self={};{}", new(), kept.join(";"));
    }
    if kept.is_empty() { format!("Root={}", new()) } else { format!("Root={};{}", new(), kept.join(";")) }
}

fn value(text: String) -> HeaderValue {
    HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).expect("made of what was a header value before")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_id_keeps_the_clients_root_and_its_own_fields() {
        let traced = trace_id(Some("Root=1-67891233-abcdef012345678912345678;CalledFrom=app"), 0x6789_1234);
        assert!(traced.starts_with("Self=1-67891234-"), "{traced}");
        assert!(traced.ends_with(";Root=1-67891233-abcdef012345678912345678;CalledFrom=app"), "{traced}");
        let again = trace_id(Some(&traced), 0x6789_1235);
        assert_eq!(again.matches("Self=").count(), 1, "{again}");
        let new = trace_id(None, 0x6789_1233);
        assert_eq!((new.len(), &new[..16]), ("Root=1-67891233-".len() + 24, "Root=1-67891233-"));
    }

    #[test]
    fn headers_of_one_connection_do_not_reach_the_target() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "keep-alive, X-Secret-Hop"),
            ("x-secret-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("upgrade", "websocket"),
            ("x-forwarded-for", "203.0.113.7"),
            ("host", "orders.example.com"),
            ("accept", "*/*"),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let target = SocketAddr::from(([127, 0, 0, 1], 9));
        add(&mut headers, IpAddr::from([127, 0, 0, 1]), ("http", 8080), target, 1);
        let mut left: Vec<String> = headers
            .iter()
            .filter(|(name, _)| **name != TRACE_ID)
            .map(|(name, value)| format!("{name}: {}", value.to_str().expect("text")))
            .collect();
        left.sort();
        assert_eq!(
            left,
            [
                "accept: */*",
                "host: orders.example.com",
                "x-forwarded-for: 203.0.113.7, 127.0.0.1",
                "x-forwarded-port: 8080",
                "x-forwarded-proto: http",
            ]
        );
    }
}

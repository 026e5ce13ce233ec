//! What the load balancer answers by itself.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, SERVER};
use http::{HeaderValue, Response, StatusCode};

use super::relay::Answer;

/// The name it gives itself in its own answers; a target's name is kept.
pub(super) const NAME: &str = "awselb/2.0";

/// An error page.
pub(super) fn page(status: StatusCode) -> Response<Answer> {
    fixed(status, Bytes::from(html(status)), HeaderValue::from_static("text/html"))
}

/// An error page as it goes over the wire, for a request that is none. The connection is closed after it.
pub(super) fn raw(status: StatusCode) -> Bytes {
    let body = html(status);
    let head = format!(
        "HTTP/1.1 {} {}\r\nServer: {NAME}\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        status.as_str(),
        reason(status),
        body.len()
    );
    Bytes::from(head + &body)
}

fn html(status: StatusCode) -> String {
    let title = format!("{} {}", status.as_str(), reason(status));
    let why = match status.as_u16() {
        400 => "The load balancer could not understand the request.",
        502 => "The target closed the connection or its answer was not HTTP.",
        503 => "There is no target to send the request to.",
        504 => "The target did not answer in time.",
        _ => "The load balancer could not serve the request.",
    };
    format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<h1>{title}</h1>\r\n<p>{why}</p>\r\n</body>\r\n</html>\r\n"
    )
}

fn reason(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("Error")
}

/// A rule's fixed response.
pub(super) fn fixed(status: StatusCode, body: Bytes, content_type: HeaderValue) -> Response<Answer> {
    let mut response = Response::new(Answer::Own(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(SERVER, HeaderValue::from_static(NAME));
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

//! A server on loopback that speaks just enough of AWS's protocols: JSON with a target header, and the query protocol.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Status, content type, body.
pub(crate) struct Reply(u16, &'static str, Vec<u8>);

pub(crate) fn json(body: &str) -> Reply {
    Reply(200, "application/x-amz-json-1.1", body.into())
}

pub(crate) fn json_error(status: u16, code: &str, message: &str) -> Reply {
    let body = format!(r#"{{"__type": "{code}", "message": "{message}"}}"#);
    Reply(status, "application/x-amz-json-1.1", body.into())
}

/// An answer of CloudWatch that has nothing in it.
pub(crate) fn cbor_of_nothing() -> Reply {
    Reply(200, "application/cbor\r\nsmithy-protocol: rpc-v2-cbor", vec![0xa0])
}

/// What Lambda answers about a function that failed.
pub(crate) fn function_error(body: &str) -> Reply {
    Reply(200, "application/json\r\nx-amz-function-error: Unhandled\r\nx-amz-executed-version: 42", body.into())
}

/// An error of a service whose operations are paths.
pub(crate) fn rest_error(status: u16, code: &'static str) -> Reply {
    let headers = match code {
        "TooManyRequestsException" => "application/json\r\nx-amzn-errortype: TooManyRequestsException",
        "ResourceConflictException" => "application/json\r\nx-amzn-errortype: ResourceConflictException",
        _ => "application/json\r\nx-amzn-errortype: AccessDeniedException",
    };
    Reply(status, headers, r#"{"Message": "said"}"#.into())
}

pub(crate) fn xml(action: &str, result: &str) -> Reply {
    let body = format!(
        "<{action}Response xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\">\
         <{action}Result>{result}</{action}Result></{action}Response>"
    );
    Reply(200, "text/xml", body.into())
}

impl Reply {
    /// XML as it is.
    pub(crate) fn xml(status: u16, body: &str) -> Self {
        Self(status, "application/xml", body.into())
    }

    /// An error of the query protocol.
    pub(crate) fn xml_error(status: u16, code: &str, message: &str) -> Self {
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
             <RequestId>request-1</RequestId></ErrorResponse>"
        );
        Self(status, "text/xml", body.into())
    }
}

pub(crate) fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Gives the reply to an action and a body.
type Answer = dyn Fn(&str, &str) -> Reply + Send + Sync;

/// The server. It ends with the test's runtime.
pub(crate) struct Server {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    calls: Mutex<Vec<(String, String)>>,
    held: Mutex<HashSet<&'static str>>,
    arrived: watch::Sender<HashSet<String>>,
    answer: Box<Answer>,
}

impl Server {
    /// `answer` is given the action and the request's body.
    pub(crate) fn start(answer: impl Fn(&str, &str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        listener.set_nonblocking(true).expect("a socket can be polled");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let listener = TcpListener::from_std(listener).expect("the test has a runtime");
        let shared = Arc::new(Shared {
            calls: Mutex::default(),
            held: Mutex::default(),
            arrived: watch::channel(HashSet::new()).0,
            answer: Box::new(answer),
        });
        let serving = shared.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, serving.clone()));
            }
        });
        Self { port, shared }
    }

    /// Holds every one of these actions back until all of them have arrived.
    pub(crate) fn holding(self, actions: &[&'static str]) -> Self {
        self.shared.held.lock().expect("nobody panics with it").extend(actions);
        self
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Action and body of every call so far.
    pub(crate) fn calls(&self) -> Vec<(String, String)> {
        self.shared.calls.lock().expect("nobody panics with it").clone()
    }
}

async fn serve(mut connection: TcpStream, shared: Arc<Shared>) {
    let mut received = Vec::new();
    while let Some((action, body)) = request(&mut connection, &mut received).await {
        shared.calls.lock().expect("nobody panics with it").push((action.clone(), body.clone()));
        let held = shared.held.lock().expect("nobody panics with it").clone();
        if held.contains(action.as_str()) {
            let mut arrived = shared.arrived.subscribe();
            shared.arrived.send_modify(|arrived| {
                arrived.insert(action.clone());
            });
            let all = |arrived: &HashSet<String>| held.iter().all(|action| arrived.contains(*action));
            arrived.wait_for(all).await.expect("the server outlives its connections");
        }
        let Reply(status, kind, body) = (shared.answer)(&action, &body);
        let head = format!(
            "HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\nx-amzn-requestid: request-1\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        if connection.write_all(&[head.as_bytes(), &body].concat()).await.is_err() {
            return;
        }
    }
}

/// The next request's action and body; `None` when the client has gone.
async fn request(connection: &mut TcpStream, received: &mut Vec<u8>) -> Option<(String, String)> {
    loop {
        if let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&received[..end]).to_lowercase();
            let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            let length: usize = header("content-length:").map_or(0, |length| length.parse().expect("a length"));
            if received.len() >= end + 4 + length {
                let head = String::from_utf8_lossy(&received[..end]).into_owned();
                let body = String::from_utf8_lossy(&received[end + 4..end + 4 + length]).into_owned();
                received.drain(..end + 4 + length);
                return Some((action(&head, &body), body));
            }
        }
        if connection.read_buf(received).await.ok()? == 0 {
            return None;
        }
    }
}

/// From the target header, the path of the CBOR protocol or of Lambda's, or the form; of S3's it is path and query.
fn action(head: &str, body: &str) -> String {
    let target = head.lines().find(|line| line.to_lowercase().starts_with("x-amz-target:"));
    let path = head.split(' ').nth(1).and_then(|path| path.split("/operation/").nth(1));
    let lambda = head.split(' ').nth(1).filter(|path| path.starts_with("/2015-03-31/"));
    let form = body.split('&').find_map(|pair| pair.strip_prefix("Action="));
    let got = head.strip_prefix("GET ").and_then(|rest| rest.split(' ').next());
    let named = target.and_then(|line| line.rsplit('.').next()).or(path).or(lambda).or(form).or(got);
    named.unwrap_or("unknown").trim().to_owned()
}

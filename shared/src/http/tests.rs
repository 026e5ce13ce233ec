use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::deployment::DeploymentId;

/// A server that answers one request with these bytes; gives its address, and the request once it came.
async fn server(answer: impl Into<Vec<u8>>) -> (SocketAddr, tokio::task::JoinHandle<String>) {
    let answer = answer.into();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let served = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.expect("the probe connects");
        let mut request = vec![0; 4096];
        let length = connection.read(&mut request).await.expect("the probe sends a request");
        connection.write_all(&answer).await.expect("the probe reads the answer");
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    (address, served)
}

fn probe() -> HttpProbe {
    let caller = Caller { hook: "after-install", deployment: DeploymentId("d-3QX9ZK2LE".to_owned()) };
    Http::new(None).probe(&caller)
}

fn get(url: String) -> ProbeRequest {
    ProbeRequest {
        method: "GET".to_owned(),
        url,
        host: None,
        headers: Vec::new(),
        body: None,
        timeout: Duration::from_secs(10),
        max_body: 64,
    }
}

#[tokio::test]
async fn the_connection_goes_to_the_address_and_the_host_is_the_users() {
    let (address, served) = server("HTTP/1.1 204 No Content\r\nX-Version: 42\r\n\r\n").await;
    let host = Some("orders.example.com".to_owned());
    let headers = vec![("x-token".to_owned(), "abc".to_owned())];
    let request = ProbeRequest { host, headers, ..get(format!("http://{address}/ready?full=1")) };
    let response = probe().send(request).await.expect("the server answers");
    assert_eq!(response.status, 204);
    assert_eq!(response.header("x-version"), Some("42"));
    let sent = served.await.expect("the server does not panic").to_lowercase();
    assert!(sent.starts_with("get /ready?full=1 http/1.1\r\n"), "{sent}");
    assert!(sent.contains("host: orders.example.com\r\n") && sent.contains("x-token: abc\r\n"), "{sent}");
    assert!(
        sent.contains(concat!("user-agent: greenlight/", env!("CARGO_PKG_VERSION"), " (after-install; d-3qx9zk2le)")),
        "{sent}"
    );
    assert!(!sent.contains("accept-encoding"), "{sent}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_like_any_other() {
    let (address, _) =
        server("HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(probe().send(get(format!("http://{address}/"))).await.expect("the server answers").status, 302);
}

#[tokio::test]
async fn a_body_is_read_no_further_than_wanted() {
    let (address, _) = server(format!("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}", "x".repeat(100))).await;
    let response = probe().send(get(format!("http://{address}/"))).await.expect("the server answers");
    assert_eq!((response.body.len(), response.truncated), (64, true));
}

#[tokio::test]
async fn nobody_listening_is_told_from_an_answer_that_breaks_off() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = free.local_addr().expect("a bound socket has an address");
    drop(free);
    let error = probe().send(get(format!("http://{address}/secret?token=abc"))).await.expect_err("nobody listens");
    assert_eq!((error.reason.as_str(), error.refused), ("connection refused", true));

    let (address, _) = server("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await;
    let error = probe().send(get(format!("http://{address}/?token=abc"))).await.expect_err("the answer breaks off");
    assert!(error.reason.starts_with("the connection broke: ") && !error.refused, "{error}");
    assert!(!error.reason.contains("token"), "{error}");
}

#[tokio::test]
async fn an_answer_that_never_comes_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = silent.local_addr().expect("a bound socket has an address");
    let request = ProbeRequest { timeout: Duration::from_millis(50), ..get(format!("http://{address}/")) };
    let error = probe().send(request).await.expect_err("nobody answers");
    assert_eq!(error.reason, "no complete answer in 50 ms");
}

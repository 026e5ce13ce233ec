//! Asks a task about itself: what ECS runs inside the container as its health check, where there is no shell and no curl.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Below the five seconds that the task definition gives it.
const PATIENCE: Duration = Duration::from_secs(4);

/// Whether `GET /health` is answered 200 where this task listens.
pub(crate) async fn ask(address: SocketAddr) -> Result<(), String> {
    // What listens everywhere is asked from within.
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let address = SocketAddr::new(ip, address.port());
    let asked = timeout(PATIENCE, status_line(address)).await;
    let line = asked.map_err(|_| format!("{address} did not answer within {PATIENCE:?}"))?;
    let line = line.map_err(|error| format!("{address} did not answer: {error}"))?;
    match line.split(' ').nth(1) {
        Some("200") => Ok(()),
        _ => Err(format!("{address} answered {}", line.trim_end())),
    }
}

async fn status_line(address: SocketAddr) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(address).await?;
    connection.write_all(format!("GET /health HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    connection.take(4096).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned())
}

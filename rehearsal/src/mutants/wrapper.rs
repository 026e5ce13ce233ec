//! The process that a mutant's green runs behind: it starts the real command and changes its answers.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::{HeaderName, Request, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use super::twist::{Fate, Sent, Twist, Twisted};
use super::{Change, Mutant};
use crate::alb::connections::Connections;

/// The exit code of a process that a mutant ends.
const CRASHED: i32 = 7;

/// What the process is told.
pub struct Wrapper {
    /// Which mutant.
    pub mutant: &'static Mutant,
    /// The environment variable that has the port to listen on, and tells the real command its own.
    pub port_variable: String,
    /// What the path begins with that is broken where only one is.
    pub path: String,
    /// The real command.
    pub command: Vec<String>,
}

/// A body that may break off.
type Body = BoxBody<Bytes, io::Error>;

/// Runs until the real command has ended; the code is that of its end.
pub async fn run(wrapper: Wrapper) -> io::Result<i32> {
    let Change::Answers(twist) = wrapper.mutant.change else {
        return Err(io::Error::other(format!("{} needs no process in front of green", wrapper.mutant.name)));
    };
    if twist == Twist::ExitsAtStart {
        return Ok(CRASHED);
    }
    // Told to stop, it serves until the command has ended, which was told as well: they are one group.
    let mut told_to_stop = signal(SignalKind::terminate())?;
    let port = std::env::var(&wrapper.port_variable).ok().and_then(|port| port.parse::<u16>().ok());
    let port = port.ok_or_else(|| io::Error::other(format!("{} is no port", wrapper.port_variable)))?;
    let inner = free_port().await?;
    let mut child = start(&wrapper, inner.port())?;
    tokio::select! {
        () = listens(inner) => {}
        ended = child.wait() => return Ok(code(ended?)),
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let green = Arc::new(Green { twisted: Twisted::new(twist, wrapper.path), connections: Connections::new(inner) });
    let serving = tokio::spawn(serve(listener, green));
    let ended = tokio::select! {
        ended = child.wait() => ended?,
        _ = told_to_stop.recv() => child.wait().await?,
        _ = serving => {
            child.start_kill()?;
            return Ok(CRASHED);
        }
    };
    Ok(code(ended))
}

fn start(wrapper: &Wrapper, port: u16) -> io::Result<Child> {
    let (program, arguments) = wrapper.command.split_first().ok_or_else(|| io::Error::other("no command is given"))?;
    let mut command = Command::new(program);
    command.args(arguments).env(&wrapper.port_variable, port.to_string()).stdin(Stdio::null()).kill_on_drop(true);
    command.spawn()
}

async fn free_port() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()
}

async fn listens(address: SocketAddr) {
    while TcpStream::connect(address).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn code(ended: ExitStatus) -> i32 {
    ended.code().or_else(|| ended.signal().map(|signal| 128 + signal)).unwrap_or(CRASHED)
}

/// The real command, and what is made of its answers.
struct Green {
    twisted: Twisted,
    connections: Connections<Full<Bytes>>,
}

/// The process is to end.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed without an answer")]
struct NoAnswer;

/// Ends when the process is to crash.
async fn serve(listener: TcpListener, green: Arc<Green>) {
    let (crash, crashed) = tokio::sync::watch::channel(false);
    loop {
        let mut crashed = crashed.clone();
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = crashed.wait_for(|crashed| *crashed) => return,
        };
        let Ok((stream, _)) = accepted else { continue };
        let _ = stream.set_nodelay(true);
        let (green, crash) = (Arc::clone(&green), crash.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let (green, crash) = (Arc::clone(&green), crash.clone());
                async move { green.answer(request, &crash).await }
            });
            // A connection that is closed without an answer is what a mutant may want.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl Green {
    async fn answer(
        &self,
        request: Request<Incoming>,
        crash: &tokio::sync::watch::Sender<bool>,
    ) -> Result<Response<Body>, NoAnswer> {
        let (parts, body) = request.into_parts();
        match self.twisted.before(&parts) {
            Fate::Asked(after) => tokio::time::sleep(after).await,
            Fate::Answered(status) => return Ok(whole(plain(status, "broken on purpose\n"))),
            Fate::Dropped => return Err(NoAnswer),
            Fate::Crash => {
                crash.send_replace(true);
                return Err(NoAnswer);
            }
        }
        let Ok(body) = body.collect().await else { return Err(NoAnswer) };
        let mut asked = Request::from_parts(parts.clone(), Full::new(body.to_bytes()));
        strip(asked.headers_mut());
        let Ok((answer, connection)) = self.connections.send(asked).await else { return Err(NoAnswer) };
        let (mut head, body) = answer.into_parts();
        let Ok(body) = body.collect().await else { return Err(NoAnswer) };
        self.connections.put_back(connection);
        strip(&mut head.headers);
        Ok(match self.twisted.after(&parts, Response::from_parts(head, body.to_bytes())) {
            Sent::Whole(answer) => whole(answer),
            Sent::Half(answer) => half(answer),
        })
    }
}

/// What is between two ends of one connection only; the length is counted anew.
fn strip(headers: &mut http::HeaderMap) {
    let of_a_connection = [header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE, header::CONTENT_LENGTH];
    for name in of_a_connection.into_iter().chain([HeaderName::from_static("keep-alive")]) {
        headers.remove(name);
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    response
}

fn whole(answer: Response<Bytes>) -> Response<Body> {
    answer.map(|body| Full::new(body).map_err(|never: Infallible| match never {}).boxed())
}

/// Promises all of the body and sends half of it.
fn half(answer: Response<Bytes>) -> Response<Body> {
    let (mut head, body) = answer.into_parts();
    head.headers.insert(header::CONTENT_LENGTH, body.len().into());
    let sent = body.slice(..body.len() / 2);
    let frames = stream::iter([Ok(Frame::data(sent)), Err(io::Error::other("broken off on purpose"))]);
    Response::from_parts(head, StreamBody::new(frames).boxed())
}

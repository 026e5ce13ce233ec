//! One running task of the service, and a plain HTTP/1.1 client to ask it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};

use serde_json::Value;

pub(crate) struct Task {
    process: Child,
    log: BufReader<ChildStderr>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }
}

impl Task {
    /// Starts the service with nothing in its environment but these variables and a free port.
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_orders"))
            .env_clear()
            .env("PORT", "0")
            .envs(variables.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the service starts");
        let log = BufReader::new(process.stderr.take().expect("stderr is piped"));
        Self { process, log }
    }

    /// Starts the service and waits until it says where it listens.
    pub(crate) fn listening(variables: &[(&str, &str)]) -> (Self, SocketAddr) {
        let mut task = Self::start(variables);
        let line = task.line();
        let (_, rest) = line.split_once("http://").expect("the first line says where it listens");
        let address = rest.split(',').next().and_then(|text| text.parse().ok()).expect("an address");
        (task, address)
    }

    /// The next line of its log; empty when it has ended.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.log.read_line(&mut line).expect("stderr is text");
        line
    }

    pub(crate) fn rest_of_log(&mut self) -> String {
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).expect("stderr is text");
        rest
    }

    pub(crate) fn ends(&mut self) -> ExitStatus {
        self.process.wait().expect("the service can be waited for")
    }

    /// Asks it to stop, as ECS does.
    pub(crate) fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "SIGTERM is sent");
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        // Already ended in tests that wait for it: then there is nothing to kill.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    receive(send(address, "GET", path, ""))
}

pub(crate) fn post(address: SocketAddr, path: &str, body: &str) -> Answer {
    receive(send(address, "POST", path, body))
}

pub(crate) fn send(address: SocketAddr, method: &str, path: &str, body: &str) -> TcpStream {
    let mut connection = TcpStream::connect(address).expect("the service accepts");
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: orders\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    connection.write_all(request.as_bytes()).expect("the request is sent");
    connection
}

pub(crate) fn receive(mut connection: TcpStream) -> Answer {
    let mut text = String::new();
    connection.read_to_string(&mut text).expect("the answer is text");
    let (head, body) = text.split_once("\r\n\r\n").expect("the answer has a head");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("the answer has a status");
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

//! Stands between process and server, and knows from the messages where they are.
//!
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html>

use std::io;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// When something is killed. Messages are those after which the server answers and is ready again, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kill {
    /// Never.
    Never,
    /// The server has got this message and perhaps begun with it.
    While(usize),
    /// The server has done what this message says, and nobody has heard of it.
    After(usize),
}

/// The way to the server. The first connection is counted, and held at the point; all others go through.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    messages: Arc<Mutex<Vec<String>>>,
    reached: mpsc::Receiver<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn to(server: u16, kill: Kill) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let messages = Arc::new(Mutex::new(Vec::new()));
        let (tell, reached) = mpsc::channel(1);
        let seen = Arc::clone(&messages);
        let task = tokio::spawn(async move {
            let mut first = Some((seen, tell));
            while let Ok((mut client, _)) = listener.accept().await {
                let first = first.take();
                tokio::spawn(async move {
                    let Ok(mut server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
                    client.set_nodelay(true).unwrap();
                    server.set_nodelay(true).unwrap();
                    // Whoever ends first ends both.
                    match first {
                        Some((messages, tell)) => drop(Counted { messages, kill, tell }.relay(client, server).await),
                        None => drop(copy_bidirectional(&mut client, &mut server).await),
                    }
                });
            }
        });
        Self { port, messages, reached, task }
    }

    /// Waits until the point is reached. Both connections are held until what this gives is dropped, and are then closed.
    pub(crate) async fn reached(&mut self) -> oneshot::Sender<()> {
        self.reached.recv().await.expect("the process sends as many messages as the undisturbed one")
    }

    /// What was sent so far.
    pub(crate) fn messages(&self) -> Vec<String> {
        self.messages.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Counted {
    messages: Arc<Mutex<Vec<String>>>,
    kill: Kill,
    tell: mpsc::Sender<oneshot::Sender<()>>,
}

impl Counted {
    async fn relay(self, client: TcpStream, server: TcpStream) -> io::Result<()> {
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        tokio::select! {
            ended = self.forward(from_client, to_server) => ended,
            ended = self.back(from_server, to_client) => ended,
        }
    }

    async fn forward(&self, mut client: OwnedReadHalf, mut server: OwnedWriteHalf) -> io::Result<()> {
        // The first message has no type.
        let length = client.read_u32().await?;
        let mut greeting = length.to_be_bytes().to_vec();
        greeting.resize(length as usize, 0);
        client.read_exact(&mut greeting[4..]).await?;
        server.write_all(&greeting).await?;
        let mut parsed = String::new();
        loop {
            let (kind, message) = message(&mut client).await?;
            let text = |from: usize| String::from_utf8_lossy(&message[from..]).trim_end_matches('\0').to_owned();
            match kind {
                b'Q' => self.messages.lock().unwrap().push(text(5)),
                // The statement's own name comes first, and is empty.
                b'P' => parsed = text(6),
                b'S' => self.messages.lock().unwrap().push(parsed.clone()),
                _ => {}
            }
            server.write_all(&message).await?;
            if matches!(kind, b'Q' | b'S') && self.kill == Kill::While(self.count()) {
                self.hold().await;
                return Ok(());
            }
        }
    }

    async fn back(&self, mut server: OwnedReadHalf, mut client: OwnedWriteHalf) -> io::Result<()> {
        loop {
            let (kind, message) = message(&mut server).await?;
            if kind == b'Z' && self.count() > 0 && self.kill == Kill::After(self.count()) {
                self.hold().await;
                return Ok(());
            }
            client.write_all(&message).await?;
        }
    }

    fn count(&self) -> usize {
        self.messages.lock().unwrap().len()
    }

    async fn hold(&self) {
        let (held, dropped) = oneshot::channel();
        if self.tell.send(held).await.is_ok() {
            let _ = dropped.await;
        }
    }
}

/// A message with its type and length, and its type.
async fn message(from: &mut OwnedReadHalf) -> io::Result<(u8, Vec<u8>)> {
    let kind = from.read_u8().await?;
    let length = from.read_u32().await?;
    let mut message = [&[kind][..], &length.to_be_bytes()].concat();
    message.resize(length as usize + 1, 0);
    from.read_exact(&mut message[5..]).await?;
    Ok((kind, message))
}

//! The terminal that `rehearse` was typed into: its lines, and Ctrl-C.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// What a shell reports for a command that Ctrl-C ended.
const INTERRUPTED: u8 = 130;
/// What a shell reports for a command whose reader has gone, as in `… | head`.
const UNREAD: u8 = 141;

/// Whether whoever read the lines has gone.
static UNREAD_FROM_NOW_ON: LazyLock<watch::Sender<bool>> = LazyLock::new(|| watch::Sender::new(false));

/// Writes a line to standard output. Nobody reading it is no error: [`Interruptions`] tells.
pub(crate) fn say(text: &str) {
    let mut out = io::stdout().lock();
    if writeln!(out, "{text}").and_then(|()| out.flush()).is_err() {
        UNREAD_FROM_NOW_ON.send_replace(true);
    }
}

/// The lines of one scenario: written as they come while it is that scenario's turn, kept until then. Clones are the same.
#[derive(Clone)]
pub(crate) struct Page {
    /// What is kept; nothing once it is the page's turn.
    kept: Arc<Mutex<Option<Vec<String>>>>,
}

impl Page {
    /// One whose turn it is.
    pub(crate) fn open() -> Self {
        Self { kept: Arc::new(Mutex::new(None)) }
    }

    /// One whose turn will come.
    pub(crate) fn closed() -> Self {
        Self { kept: Arc::new(Mutex::new(Some(Vec::new()))) }
    }

    /// Writes a line, or keeps it.
    pub(crate) fn say(&self, text: &str) {
        match self.kept.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(kept) => kept.push(text.to_owned()),
            None => say(text),
        }
    }

    /// It is this page's turn.
    pub(crate) fn turn(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for line in kept.take().unwrap_or_default() {
            say(&line);
        }
    }
}

/// Writes an error, and returns the code to end with.
pub(crate) fn fail(message: &str, code: u8) -> ExitCode {
    tell(message);
    ExitCode::from(code)
}

/// Writes what is worth knowing and no error.
pub(crate) fn note(message: &str) {
    tell(&format!("note: {message}"));
}

fn tell(message: &str) {
    // There is nobody left to tell.
    let _ = writeln!(io::stderr(), "rehearse: {message}");
}

/// Everything that ends `rehearse` early. Listened to from the beginning, so that nothing is missed in between.
pub(crate) struct Interruptions {
    pressed: Signal,
    terminated: Signal,
    unread: watch::Receiver<bool>,
}

impl Interruptions {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            pressed: signal(SignalKind::interrupt())?,
            terminated: signal(SignalKind::terminate())?,
            unread: UNREAD_FROM_NOW_ON.subscribe(),
        })
    }

    /// Waits for one; returns the code to end with, once everything has been stopped.
    pub(crate) async fn next(&mut self) -> Interruption {
        tokio::select! {
            _ = self.pressed.recv() => Interruption(INTERRUPTED),
            _ = self.terminated.recv() => Interruption(INTERRUPTED),
            _ = self.unread.wait_for(|unread| *unread) => Interruption(UNREAD),
        }
    }
}

/// Why `rehearse` ends early.
pub(crate) struct Interruption(u8);

impl Interruption {
    /// To be said when everything is stopped.
    pub(crate) fn end(self) -> ExitCode {
        match self.0 {
            UNREAD => ExitCode::from(UNREAD),
            code => fail("interrupted; everything that was started is stopped", code),
        }
    }
}

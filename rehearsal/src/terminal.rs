//! The terminal that `rehearse` was typed into: its lines, and Ctrl-C.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::LazyLock;

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

/// Writes an error, and returns the code to end with.
pub(crate) fn fail(message: &str, code: u8) -> ExitCode {
    // There is nobody left to tell.
    let _ = writeln!(io::stderr(), "rehearse: {message}");
    ExitCode::from(code)
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

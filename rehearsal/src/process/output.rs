//! Lines of a pipe.

use std::io;
use std::os::fd::OwnedFd;

use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};

/// A line longer than this is cut into several.
const LONGEST_LINE: usize = 64 * 1024;

/// Hands every line to `on_lines` until the pipe's last writer has closed it. Whoever asks over `drains` is answered once
/// everything that was written before has been handed over.
pub(super) fn collect(
    pipe: io::PipeReader,
    mut drains: mpsc::Receiver<oneshot::Sender<()>>,
    mut on_lines: impl FnMut(&[String]),
) -> io::Result<impl Future<Output = ()>> {
    let pipe = pipe::Receiver::from_owned_fd(OwnedFd::from(pipe))?;
    Ok(async move {
        let mut buffer = vec![0; LONGEST_LINE];
        let mut unfinished = Vec::new();
        let mut draining: Vec<oneshot::Sender<()>> = Vec::new();
        loop {
            match pipe.try_read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => {
                    let lines = split(&mut unfinished, &buffer[..read]);
                    if !lines.is_empty() {
                        on_lines(&lines);
                    }
                    // Somebody who writes without end must not keep others from running.
                    tokio::task::coop::consume_budget().await;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => break,
            }
            if !draining.is_empty() {
                flush(&mut unfinished, &mut on_lines);
                for done in draining.drain(..) {
                    // An error: who asked has stopped waiting.
                    let _ = done.send(());
                }
            }
            tokio::select! {
                ready = pipe.readable() => {
                    if ready.is_err() {
                        break;
                    }
                }
                Some(done) = drains.recv() => draining.push(done),
            }
        }
        flush(&mut unfinished, &mut on_lines);
    })
}

fn split(unfinished: &mut Vec<u8>, read: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    for piece in read.split_inclusive(|byte| *byte == b'\n') {
        unfinished.extend_from_slice(piece);
        if unfinished.last() == Some(&b'\n') || unfinished.len() >= LONGEST_LINE {
            lines.push(text(unfinished));
        }
    }
    lines
}

fn flush(unfinished: &mut Vec<u8>, on_lines: &mut impl FnMut(&[String])) {
    if !unfinished.is_empty() {
        on_lines(&[text(unfinished)]);
    }
}

fn text(line: &mut Vec<u8>) -> String {
    let text = String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']).to_owned();
    line.clear();
    text
}

//! A client's connection, on which hyper's own answers are replaced by the load balancer's.
//!
//! What hyper cannot parse it answers before any service sees it, with an empty page and without a `Server`.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::StatusCode;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::answers;

/// The connection.
pub(super) struct Socket<S> {
    stream: TokioIo<S>,
    /// Requests that the service was given.
    served: Arc<AtomicU64>,
    /// Heads of answers to them that were written.
    answered: u64,
    /// Whether the head that is being written has just been counted.
    looked: bool,
    /// What is left to be written of the load balancer's own page, in place of hyper's.
    own: Option<Bytes>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// `served` is counted up by the service before it answers.
    pub(super) fn new(stream: S, served: Arc<AtomicU64>) -> Self {
        Self { stream: TokioIo::new(stream), served, answered: 0, looked: false, own: None }
    }

    /// Looks at what is about to be written: whether it is an answer that the service knows nothing of.
    fn look(&mut self, written: &[u8]) {
        let Some(rest) = written.strip_prefix(b"HTTP/1.1 ") else { return };
        if rest.starts_with(b"1") {
            return;
        }
        if self.answered < self.served.load(Ordering::Acquire) {
            self.answered += 1;
            self.looked = true;
            return;
        }
        let code = rest.get(..3).and_then(|code| StatusCode::from_bytes(code).ok());
        if let Some(code) = code.filter(StatusCode::is_client_error)
            && written.windows(20).any(|line| line == b"\r\ncontent-length: 0\r")
        {
            self.own = Some(answers::raw(code));
        }
    }

    /// A head that could not be written comes again: it must not be counted twice.
    fn unlook(&mut self, written: &Poll<io::Result<usize>>) {
        if std::mem::take(&mut self.looked) && written.is_pending() {
            self.answered -= 1;
        }
    }

    /// Writes the load balancer's own page, if there is one to be written. `true` when it was.
    fn poll_own(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let Some(own) = &mut self.own else { return Poll::Ready(Ok(false)) };
        while own.has_remaining() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, own))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            own.advance(written);
        }
        self.own = None;
        Poll::Ready(Ok(true))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Read for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Write for Socket<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        if self.own.is_none() {
            self.look(buffer);
        }
        if ready!(self.poll_own(context))? {
            return Poll::Ready(Ok(buffer.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(context, buffer);
        self.unlook(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.own.is_none() {
            self.look(buffers.first().map_or(&[], |buffer| buffer));
        }
        if ready!(self.poll_own(context))? {
            return Poll::Ready(Ok(buffers.iter().map(|buffer| buffer.len()).sum()));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        self.unlook(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

//! Answers on their way to the client.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::SendRequest;
use jiff::Timestamp;
use tokio::time::{Instant, Sleep};

use super::access_log::{AccessLog, Entry};
use super::routing::{Claim, Group};
use crate::world::load_balancer::ListenerRole;

/// A request from its first byte to its last: told to the access log when it is dropped.
pub(super) struct Exchange {
    pub(super) log: AccessLog,
    pub(super) at: Timestamp,
    pub(super) begun: Instant,
    pub(super) trace_id: String,
    pub(super) listener: ListenerRole,
    pub(super) request: String,
    /// What the client is answered; 460 until that is known.
    pub(super) status: u16,
    pub(super) target_status: Option<u16>,
    pub(super) group: Option<Arc<Group>>,
    pub(super) claim: Option<Claim>,
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.log.tell(|| Entry {
            at: self.at,
            trace_id: std::mem::take(&mut self.trace_id),
            listener: self.listener,
            request: std::mem::take(&mut self.request),
            status: self.status,
            target_status: self.target_status,
            target_group: self.group.as_ref().map(|group| group.name.clone()),
            task: self.claim.as_ref().map(|claim| claim.lane.task.clone()),
            colour: self.claim.as_ref().and_then(|claim| claim.colour),
            took: self.begun.elapsed(),
        });
    }
}

/// The body of an answer.
pub(super) enum Answer {
    /// The load balancer's own.
    Own(Full<Bytes>),
    /// A target's.
    Relayed(Box<Relayed>),
}

/// A target's body as it comes. Its connection is kept for the next request when the body was read to its end.
pub(super) struct Relayed {
    body: Incoming,
    connection: Option<SendRequest<Incoming>>,
    exchange: Exchange,
    idle_timeout: Duration,
    /// Runs while the target keeps the client waiting.
    silence: Option<Pin<Box<Sleep>>>,
}

/// Why a body ends before its end: the client's connection is closed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Interrupted {
    #[error("the target's answer broke off: {0}")]
    Broken(#[from] hyper::Error),
    #[error("the target sent nothing for {0:?}")]
    Silent(Duration),
}

impl Relayed {
    pub(super) fn new(
        body: Incoming,
        connection: SendRequest<Incoming>,
        exchange: Exchange,
        idle_timeout: Duration,
    ) -> Self {
        Self { body, connection: Some(connection), exchange, idle_timeout, silence: None }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(frame)) => {
                self.silence = None;
                Poll::Ready(Some(frame.map_err(Interrupted::from)))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                let wait = self.idle_timeout;
                let silence = self.silence.get_or_insert_with(|| Box::pin(tokio::time::sleep(wait)));
                match silence.as_mut().poll(context) {
                    Poll::Ready(()) => Poll::Ready(Some(Err(Interrupted::Silent(wait)))),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }
}

impl Drop for Relayed {
    fn drop(&mut self) {
        // A body that was not read to its end leaves bytes on the connection: it is closed instead.
        if self.body.is_end_stream()
            && let (Some(connection), Some(claim)) = (self.connection.take(), &self.exchange.claim)
        {
            claim.lane.connections.put_back(connection);
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Interrupted;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        match self.get_mut() {
            Self::Own(body) => Pin::new(body).poll_frame(context).map_err(|never| match never {}),
            Self::Relayed(relayed) => relayed.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(body) => body.is_end_stream(),
            Self::Relayed(relayed) => relayed.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(body) => body.size_hint(),
            Self::Relayed(relayed) => relayed.body.size_hint(),
        }
    }
}

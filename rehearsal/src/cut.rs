//! Answers that end before they are whole.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, SizeHint};

/// Tells hyper to close the connection where it is.
#[derive(Debug, thiserror::Error)]
#[error("a fault cuts this connection")]
pub(crate) struct Cut;

/// A body that is sent whole, or as far as its middle and then no further. Its length is said in full.
pub(crate) struct Sent {
    whole: Bytes,
    cut: bool,
    begun: bool,
}

impl Sent {
    /// All of it.
    pub(crate) async fn whole(body: Full<Bytes>) -> Self {
        let Ok(body) = body.collect().await;
        Self { whole: body.to_bytes(), cut: false, begun: false }
    }

    /// Half of it, and then the end of the connection.
    pub(crate) async fn cut(body: Full<Bytes>) -> Self {
        Self { cut: true, ..Self::whole(body).await }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.begun {
            return Poll::Ready(self.cut.then_some(Err(Cut)));
        }
        self.begun = true;
        let sent = if self.cut { self.whole.len() / 2 } else { self.whole.len() };
        Poll::Ready(Some(Ok(Frame::data(self.whole.slice(..sent)))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.whole.len() as u64)
    }
}

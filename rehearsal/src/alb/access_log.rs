//! What the load balancer did with each request: who answered is told here, not by the application.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::world::load_balancer::ListenerRole;
use crate::world::services::Colour;

/// One request.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When it came, by the world's clock.
    pub at: Timestamp,
    /// The `X-Amzn-Trace-Id` it was forwarded with.
    pub trace_id: String,
    /// The listener it came to.
    pub listener: ListenerRole,
    /// Method and path.
    pub request: String,
    /// What the client was answered; 460 when it left before there was an answer.
    pub status: u16,
    /// What the target answered; `None` when the load balancer answered by itself.
    pub target_status: Option<u16>,
    /// Name of the target group it was forwarded to.
    pub target_group: Option<String>,
    /// Id of the task it was forwarded to.
    pub task: Option<String>,
    /// The colour of that task's task set at that time.
    pub colour: Option<Colour>,
    /// From the request's first byte to the end of the answer, real time.
    pub took: Duration,
}

/// Where requests are told as they end. Nothing is kept: whoever wants to know follows it.
#[derive(Clone, Default)]
pub struct AccessLog {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Spares the way of a request the lock while nobody follows.
    followed: AtomicBool,
    followers: Mutex<Vec<UnboundedSender<Arc<Entry>>>>,
}

impl AccessLog {
    /// Every request that ends from now on.
    pub fn follow(&self) -> UnboundedReceiver<Arc<Entry>> {
        let (tell, told) = unbounded_channel();
        let mut followers = self.shared.followers.lock().expect("nothing panics while it holds the followers");
        followers.push(tell);
        self.shared.followed.store(true, Ordering::Release);
        told
    }

    /// Tells everybody who follows.
    pub(super) fn tell(&self, entry: impl FnOnce() -> Entry) {
        if !self.shared.followed.load(Ordering::Acquire) {
            return;
        }
        let entry = Arc::new(entry());
        let mut followers = self.shared.followers.lock().expect("nothing panics while it holds the followers");
        followers.retain(|follower| follower.send(entry.clone()).is_ok());
        if followers.is_empty() {
            self.shared.followed.store(false, Ordering::Release);
        }
    }
}

//! Who answers when the hook itself cannot: a thread of its own. A check that never gives the hook's one thread back would
//! hold everything up until Lambda kills the process, and CodeDeploy would wait for its hour.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Instant;

use tokio::sync::oneshot;
use tracing::{error, warn};

use crate::report::Verdict;
use crate::run::panic_text;

/// Enough for a TLS handshake in a build without optimisation.
const STACK: usize = 2 * 1024 * 1024;

/// Waits for the hook to claim the answer. Dropping it claims the answer too.
pub(crate) struct Watchdog<T> {
    watched: Arc<Watched>,
    outcome: oneshot::Receiver<T>,
}

#[derive(Default)]
struct Watched {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy)]
struct State {
    owner: Owner,
    /// What the watchdog would answer.
    verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Nobody,
    Hook,
    Watchdog,
}

impl Default for State {
    fn default() -> Self {
        Self { owner: Owner::Nobody, verdict: Verdict::Stop }
    }
}

impl<T: Send + 'static> Watchdog<T> {
    /// At `time`, unless the answer is claimed before, `answer` is called on a thread of its own. Without such a thread
    /// the hook goes on alone.
    pub(crate) fn start(time: Instant, answer: impl FnOnce(Verdict) -> T + Send + 'static) -> Self {
        let watched = Arc::new(Watched::default());
        let (told, outcome) = oneshot::channel();
        let thread = Builder::new().name("watchdog".to_owned()).stack_size(STACK).spawn({
            let watched = watched.clone();
            move || {
                let Some(verdict) = watched.fires(time) else { return };
                match catch_unwind(AssertUnwindSafe(|| answer(verdict))) {
                    // An error: the hook does not ask any more.
                    Ok(outcome) => drop(told.send(outcome)),
                    Err(panic) => {
                        error!("NOBODY HAS ANSWERED: the watchdog broke: {}", panic_text(panic.as_ref()));
                    }
                }
            }
        });
        if let Err(error) = thread {
            warn!("no watchdog, the hook goes on without one: {error}");
        }
        Self { watched, outcome }
    }

    /// What became of its answer, once it has begun to give one; `None` where it broke.
    pub(crate) async fn outcome(&mut self) -> Option<T> {
        (&mut self.outcome).await.ok()
    }
}

impl<T> Watchdog<T> {
    /// It is a rollback: whatever breaks, the way back stays open.
    pub(crate) fn let_pass(&self) {
        self.watched.lock().verdict = Verdict::Proceed;
    }

    /// Whether the answer is the hook's to give. It is not once the watchdog has begun to give it.
    pub(crate) fn claim(&self) -> bool {
        let mut state = self.watched.lock();
        if state.owner == Owner::Nobody {
            state.owner = Owner::Hook;
            self.watched.changed.notify_all();
        }
        state.owner == Owner::Hook
    }
}

impl<T> Drop for Watchdog<T> {
    fn drop(&mut self) {
        self.claim();
    }
}

impl Watched {
    /// Waits until the time has come or the hook has claimed the answer; what to answer if it has not.
    fn fires(&self, time: Instant) -> Option<Verdict> {
        let mut state = self.lock();
        while state.owner == Owner::Nobody {
            let left = time.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.owner = Owner::Watchdog;
                return Some(state.verdict);
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_the_hook_has_claimed_is_never_answered_by_the_watchdog() {
        let (sender, receiver) = channel();
        let watchdog = Watchdog::start(Instant::now() + Duration::from_secs(3600), move |verdict| {
            sender.send(verdict).expect("the test listens");
        });
        assert!(watchdog.claim() && watchdog.claim());
        // The thread ends without a word, and its sender with it.
        assert!(receiver.recv().is_err());
    }

    #[tokio::test]
    async fn when_the_time_has_come_the_watchdog_stops_the_deployment_and_the_hook_comes_too_late() {
        let (sender, receiver) = channel();
        let mut watchdog = Watchdog::start(Instant::now(), move |verdict| {
            sender.send(verdict).expect("the test listens");
            "delivered"
        });
        assert_eq!(receiver.recv(), Ok(Verdict::Stop));
        assert!(!watchdog.claim());
        assert_eq!(watchdog.outcome().await, Some("delivered"));
    }

    #[test]
    fn a_rollback_is_let_pass() {
        let (sender, receiver) = channel();
        let (begin, wait) = channel::<()>();
        let time = Instant::now() + Duration::from_millis(50);
        let watchdog = Watchdog::start(time, move |verdict| {
            wait.recv().expect("the test begins");
            sender.send(verdict).expect("the test listens");
        });
        watchdog.let_pass();
        begin.send(()).expect("the watchdog listens");
        assert_eq!(receiver.recv(), Ok(Verdict::Proceed));
    }
}

//! One call for everybody who asks the same at the same time: the plan and two checks need the task definition, three
//! checks need green's task set, and the listeners were read a moment ago, with the deployment.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::check::CannotTell;

/// How long an answer is taken for a new one. Nothing is polled as often, so whoever asks again gets a new answer.
const FRESH: Duration = Duration::from_millis(500);

/// The latest answer to each question of one kind.
#[derive(Debug)]
pub(super) struct Recent<T> {
    slots: Mutex<HashMap<String, Slot<T>>>,
}

/// Locked while it is asked.
type Slot<T> = Arc<tokio::sync::Mutex<Option<Told<T>>>>;

#[derive(Debug)]
struct Told<T> {
    at: Instant,
    answer: Result<T, Arc<CannotTell>>,
}

impl<T: Clone> Recent<T> {
    /// The answer that somebody else got since this was called, or a moment before; else asks. A refusal is shared only
    /// with those who were waiting for the same call.
    pub(super) async fn or_ask<F>(&self, question: &str, ask: F) -> Result<T, CannotTell>
    where
        F: Future<Output = Result<T, CannotTell>>,
    {
        let came = Instant::now();
        let slot = self.slot(question, came);
        let mut told = slot.lock().await;
        if let Some(told) = told.as_ref().filter(|told| told.at > came || (told.is_fresh(came) && told.answer.is_ok()))
        {
            return told.answer.clone().map_err(|error| again(&error));
        }
        let answer = ask.await.map_err(Arc::new);
        *told = Some(Told { at: Instant::now(), answer: answer.clone() });
        answer.map_err(|error| again(&error))
    }

    /// Forgets everything.
    pub(super) fn forget(&self) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Forgets what is no longer fresh: a function that stays warm sees many deployments.
    fn slot(&self, question: &str, now: Instant) -> Slot<T> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, slot| {
            slot.try_lock().map_or(true, |told| told.as_ref().is_some_and(|told| told.is_fresh(now)))
        });
        slots.entry(question.to_owned()).or_default().clone()
    }
}

impl<T> Told<T> {
    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) < FRESH
    }
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { slots: Mutex::default() }
    }
}

/// The same error for another who asked.
fn again(error: &Arc<CannotTell>) -> CannotTell {
    let cause = error.source.is_some().then(|| Cause(Arc::clone(error)));
    CannotTell {
        asked: error.asked.clone(),
        remedy: error.remedy.clone(),
        transient: error.transient,
        source: cause.map(|cause| Box::new(cause) as Box<dyn Error + Send + Sync>),
    }
}

/// What is behind a shared error.
#[derive(Debug)]
struct Cause(Arc<CannotTell>);

impl fmt::Display for Cause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.source.as_ref().map_or(Ok(()), |source| source.fmt(out))
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_ref()?.source()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::{advance, sleep};

    use super::*;
    use crate::report::words::chain;

    /// Takes a tenth of a second, and gives how often it was asked.
    async fn count(calls: &Cell<u32>) -> Result<u32, CannotTell> {
        calls.set(calls.get() + 1);
        sleep(Duration::from_millis(100)).await;
        Ok(calls.get())
    }

    async fn refused(calls: &Cell<u32>) -> Result<u32, CannotTell> {
        count(calls).await?;
        let source = Some("AccessDenied".into());
        Err(CannotTell { asked: "the tasks".to_owned(), remedy: "Allow it.".to_owned(), transient: false, source })
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_ask_the_same_at_the_same_time_share_one_call() {
        let (recent, calls) = (Recent::default(), Cell::new(0));
        let ask = || recent.or_ask("tasks", count(&calls));
        let (one, two, other) = tokio::join!(ask(), ask(), recent.or_ask("others", async { Ok(7) }));
        assert_eq!((one.ok(), two.ok(), other.ok(), calls.get()), (Some(1), Some(1), Some(7), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_again_after_a_pause_gets_a_new_answer() {
        let (recent, calls) = (Recent::default(), Cell::new(0));
        for (pause, expected) in [(0, 1), (499, 1), (1, 2)] {
            advance(Duration::from_millis(pause)).await;
            assert_eq!(recent.or_ask("tasks", count(&calls)).await.ok(), Some(expected), "after {pause} ms");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_told_to_all_who_waited_and_to_nobody_later() {
        let (recent, calls) = (Recent::default(), Cell::new(0));
        let ask = || recent.or_ask("tasks", refused(&calls));
        let (one, two) = tokio::join!(ask(), ask());
        for error in [one, two] {
            assert_eq!(chain(&error.expect_err("both are refused")), "the tasks: AccessDenied");
        }
        assert_eq!(calls.get(), 1);
        assert_eq!(recent.or_ask("tasks", count(&calls)).await.ok(), Some(2));
    }

    /// A check that is out of time drops its question.
    #[tokio::test(start_paused = true)]
    async fn one_who_gives_up_leaves_the_question_to_the_next() {
        let (recent, calls) = (Recent::default(), Cell::new(0));
        let given_up = tokio::time::timeout(Duration::from_millis(50), recent.or_ask("tasks", count(&calls))).await;
        assert!(given_up.is_err());
        assert_eq!(recent.or_ask("tasks", count(&calls)).await.ok(), Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_old_is_forgotten() {
        let (recent, calls) = (Recent::default(), Cell::new(0));
        for deployment in ["one", "two", "three"] {
            recent.or_ask(deployment, count(&calls)).await.expect("an answer");
            advance(FRESH).await;
        }
        assert_eq!(recent.slots.lock().expect("nobody panicked").len(), 1);
    }
}

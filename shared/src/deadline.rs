//! How long there is, and what is kept back for the answer.

use std::time::Duration;

use tokio::time::Instant;

/// Kept back for rendering the report and delivering the answer with its retries. CodeDeploy waits an hour for an answer
/// that does not come, so the answer is worth more than any check's last seconds.
pub const REPORT_RESERVE: Duration = Duration::from_secs(15);

/// When the function will be killed, and when the questions end.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    /// When Lambda kills the process, without a signal first.
    pub killed_at: Instant,
    /// When the last question must have been answered: `killed_at` less the reserve.
    pub questions_end: Instant,
    /// Until then the hook itself may answer; after that a watchdog does. Half of the reserve is left to it.
    pub last_resort: Instant,
}

impl Deadline {
    /// `left` is what remains until Lambda kills the process. The reserve is [`REPORT_RESERVE`], or half of what is left
    /// where that is less than twice the reserve.
    pub fn after(left: Duration) -> Self {
        let now = Instant::now();
        let reserve = REPORT_RESERVE.min(left / 2);
        Self { killed_at: now + left, questions_end: now + (left - reserve), last_resort: now + (left - reserve / 2) }
    }

    /// Time left for questions.
    pub fn left_for_questions(&self) -> Duration {
        self.questions_end.saturating_duration_since(Instant::now())
    }
}

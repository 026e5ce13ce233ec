//! What became of every production request.
//!
//! Who answered is told by the load balancer's access log, not by the application: the two are joined by the trace id
//! that each request carries. A request is lost when it is refused, reset, timed out, or answered 5xx. An invocation of a
//! function tells itself which version ran, and is lost when the function fails.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;

use crate::alb::access_log;
use crate::world::services::Colour;

pub mod summary;

pub use summary::{LedgerSummary, PhaseSummary};

/// The name of what comes before the first phase.
const BEFORE: &str = "before";

/// The book. Clones share one.
#[derive(Clone)]
pub struct Ledger {
    shared: Arc<Shared>,
}

struct Shared {
    book: Mutex<Book>,
    /// Rings whenever a request is booked, closed or joined.
    written: watch::Sender<u64>,
}

struct Book {
    /// Tells this ledger's requests from others': half of the id in their trace id.
    run: u64,
    begun: Instant,
    phases: Vec<String>,
    /// How many requests of each phase have ended.
    ended: Vec<usize>,
    present: usize,
    entries: Vec<Entry>,
}

/// One request.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// When it was sent, by the world's clock.
    pub sent_at: Timestamp,
    /// The same in real time, since the ledger began.
    pub sent_after: Duration,
    /// The phase it was sent in: an index of the summary's phases.
    pub phase: usize,
    /// The side it was forwarded to, answered or not; `None` when the access log names none, or has not told yet.
    pub sent_to: Option<Colour>,
    /// Who answered; `None` while that is not known.
    pub answered_by: Option<AnsweredBy>,
    /// How it ended.
    pub end: End,
    /// From the first byte sent to the last byte received, real time; zero while it is under way.
    pub took: Duration,
}

/// Who answered a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnsweredBy {
    /// A task of the blue task set.
    Blue,
    /// A task of the green task set.
    Green,
    /// A target that belongs to no task set.
    Other,
    /// The load balancer by itself.
    LoadBalancer,
    /// Nobody.
    Nobody,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// It has not.
    UnderWay,
    /// Answered with this status.
    Status(u16),
    /// No connection could be made.
    Refused,
    /// The connection was closed before the end of the answer.
    Reset,
    /// No answer within the client's patience.
    TimedOut,
    /// The function was invoked, and failed.
    FunctionError,
    /// Lambda itself refused the invocation with this status.
    Lambda(u16),
}

/// A booked request that is still to be closed.
#[derive(Debug)]
pub struct Ticket {
    index: usize,
    /// The value of its `X-Amzn-Trace-Id`.
    pub trace_id: String,
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

impl Ledger {
    /// An empty ledger, in a phase called `before`.
    pub fn new() -> Self {
        let book = Book {
            run: uuid::Uuid::new_v4().as_u64_pair().1 >> 16,
            begun: Instant::now(),
            phases: vec![BEFORE.to_owned()],
            ended: vec![0],
            present: 0,
            entries: Vec::new(),
        };
        Self { shared: Arc::new(Shared { book: Mutex::new(book), written: watch::Sender::new(0) }) }
    }

    /// Requests sent from now on belong to this phase: the deployment's present lifecycle event. A phase that is
    /// entered again goes on.
    pub fn enter(&self, phase: impl Into<String>) {
        let phase = phase.into();
        let mut book = self.lock();
        book.present = match book.phases.iter().position(|known| *known == phase) {
            Some(known) => known,
            None => {
                book.phases.push(phase);
                book.ended.push(0);
                book.phases.len() - 1
            }
        };
    }

    /// Books a request that is about to be sent.
    pub fn book(&self, at: Timestamp) -> Ticket {
        let mut book = self.lock();
        let index = book.entries.len();
        let entry = Entry {
            sent_at: at,
            sent_after: book.begun.elapsed(),
            phase: book.present,
            sent_to: None,
            answered_by: None,
            end: End::UnderWay,
            took: Duration::ZERO,
        };
        book.entries.push(entry);
        let trace_id = format!("Root=1-{:08x}-{:012x}{index:012x}", at.as_second(), book.run);
        drop(book);
        self.ring();
        Ticket { index, trace_id }
    }

    /// Closes a request.
    pub fn close(&self, ticket: Ticket, end: End, took: Duration) {
        let mut book = self.lock();
        let Some(entry) = book.entries.get_mut(ticket.index) else { return };
        entry.end = end;
        entry.took = took;
        if !matches!(end, End::Status(_) | End::FunctionError) {
            entry.answered_by = Some(AnsweredBy::Nobody);
        }
        let phase = entry.phase;
        book.ended[phase] += 1;
        drop(book);
        self.ring();
    }

    /// Books who answered a request that went through no load balancer: the answer itself says so.
    pub fn answered(&self, ticket: &Ticket, by: AnsweredBy) {
        if let Some(entry) = self.lock().entries.get_mut(ticket.index) {
            entry.answered_by = Some(by);
        }
    }

    /// Notes who answered. Requests of others are left alone.
    pub fn join(&self, told: &access_log::Entry) {
        let mut book = self.lock();
        let Some(index) = index(&told.trace_id, book.run) else { return };
        let Some(entry) = book.entries.get_mut(index) else { return };
        entry.sent_to = told.colour;
        let by = match (told.target_status, told.colour) {
            (Some(_), Some(Colour::Blue)) => AnsweredBy::Blue,
            (Some(_), Some(Colour::Green)) => AnsweredBy::Green,
            (Some(_), None) => AnsweredBy::Other,
            (None, _) => AnsweredBy::LoadBalancer,
        };
        // Who was never answered stays so, whatever the load balancer would have said.
        entry.answered_by.get_or_insert(by);
        drop(book);
        self.ring();
    }

    /// Waits until every request has ended and is joined, for `at_most` of real time. Returns how many are not.
    pub async fn settled(&self, at_most: Duration) -> usize {
        let settling = self.until(|book| book.open() == 0);
        let _ = tokio::time::timeout(at_most, settling).await;
        self.lock().open()
    }

    /// Waits until this many requests of the present phase have ended: a share shows only over enough of them.
    pub async fn until_ended(&self, count: usize) {
        self.until(|book| book.ended[book.present] >= count).await;
    }

    /// Every request in the order they were sent.
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().entries.clone()
    }

    /// What became of them, by phase.
    pub fn summary(&self) -> LedgerSummary {
        let book = self.lock();
        LedgerSummary::of(&book.phases, &book.entries)
    }

    async fn until(&self, reached: impl Fn(&Book) -> bool) {
        let mut written = self.shared.written.subscribe();
        loop {
            written.borrow_and_update();
            if reached(&self.lock()) || written.changed().await.is_err() {
                return;
            }
        }
    }

    fn ring(&self) {
        self.shared.written.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.shared.book.lock().expect("nothing panics while it holds the ledger")
    }
}

impl Book {
    /// Requests that have not ended or of which it is not known who answered them.
    fn open(&self) -> usize {
        self.entries.iter().filter(|entry| entry.answered_by.is_none() || entry.end == End::UnderWay).count()
    }
}

impl Entry {
    /// Why it was lost; `None` when it was not.
    pub fn loss(&self) -> Option<String> {
        let to = match (self.sent_to, self.answered_by) {
            (Some(colour), Some(AnsweredBy::LoadBalancer | AnsweredBy::Nobody)) => format!(" (sent to {colour})"),
            _ => String::new(),
        };
        let by = match self.answered_by {
            Some(AnsweredBy::Blue) => "blue",
            Some(AnsweredBy::Green) => "green",
            Some(AnsweredBy::LoadBalancer) => "the load balancer",
            Some(AnsweredBy::Other) => "a target of no task set",
            Some(AnsweredBy::Nobody) | None => "somebody",
        };
        Some(match self.end {
            End::Status(status) if status >= 500 => format!("{by} answered {status}{to}"),
            End::UnderWay | End::Status(_) => return None,
            End::FunctionError => format!("{by} failed with a function error"),
            End::Lambda(status) => format!("Lambda answered {status}"),
            End::Refused => format!("connection refused{to}"),
            End::Reset => format!("connection reset{to}"),
            End::TimedOut => format!("timed out{to}"),
        })
    }
}

impl std::fmt::Display for Ledger {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.summary().fmt(out)
    }
}

/// The entry that a trace id belongs to, if it is one of this run.
fn index(trace_id: &str, run: u64) -> Option<usize> {
    let root = trace_id.split(';').find_map(|field| field.trim().strip_prefix("Root="))?;
    let id = root.rsplit('-').next().filter(|id| id.len() == 24 && id.is_ascii())?;
    let (of, index) = id.split_at(12);
    (u64::from_str_radix(of, 16).ok()? == run).then_some(())?;
    usize::from_str_radix(index, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::load_balancer::ListenerRole;

    fn told(ticket: &Ticket, target_status: Option<u16>, colour: Option<Colour>) -> access_log::Entry {
        access_log::Entry {
            at: Timestamp::UNIX_EPOCH,
            trace_id: format!("Self=1-00000000-000000000000000000000001;{}", ticket.trace_id),
            listener: ListenerRole::Production,
            request: "GET /".to_owned(),
            status: target_status.unwrap_or(502),
            target_status,
            target_group: None,
            task: None,
            colour,
            took: Duration::ZERO,
        }
    }

    /// A deployment in small: all blue, then a canary that answers some 500, then a shift that loses connections.
    fn ledger() -> Ledger {
        let ledger = Ledger::new();
        let send = |count: u32, end: End, target: Option<u16>, colour: Option<Colour>, took: u64| {
            for _ in 0..count {
                let ticket = ledger.book(Timestamp::UNIX_EPOCH);
                ledger.join(&told(&ticket, target, colour));
                ledger.close(ticket, end, Duration::from_millis(took));
            }
        };
        send(1200, End::Status(200), Some(200), Some(Colour::Blue), 2);
        ledger.enter("AllowTraffic");
        send(89, End::Status(200), Some(200), Some(Colour::Blue), 2);
        send(1, End::Status(404), Some(404), Some(Colour::Blue), 9);
        send(7, End::Status(200), Some(200), Some(Colour::Green), 3);
        send(3, End::Status(500), Some(500), Some(Colour::Green), 40);
        ledger.enter("AfterAllowTraffic");
        send(4, End::Status(200), Some(200), Some(Colour::Green), 3);
        send(1, End::Status(502), None, Some(Colour::Green), 5);
        send(2, End::Status(503), None, None, 1);
        send(1, End::TimedOut, None, Some(Colour::Green), 5000);
        let refused = ledger.book(Timestamp::UNIX_EPOCH);
        ledger.close(refused, End::Refused, Duration::ZERO);
        ledger
    }

    #[test]
    fn the_table_says_who_answered_and_what_was_lost_by_phase() {
        insta::assert_snapshot!(ledger(), @r"
        phase              sent  blue        green  lost     p50      p99
        before             1200  1200            0     0  2.0 ms   2.0 ms
        AllowTraffic        100    90  10 (10.0 %)     3  2.0 ms  40.0 ms
        AfterAllowTraffic     9     0  4 (100.0 %)     5  3.0 ms   5.0 ms
        total              1309  1290   14 (1.1 %)     8  2.0 ms   3.0 ms
        lost in AllowTraffic: 3 × green answered 500
        lost in AfterAllowTraffic: 1 × connection refused
        lost in AfterAllowTraffic: 1 × the load balancer answered 502 (sent to green)
        lost in AfterAllowTraffic: 2 × the load balancer answered 503
        lost in AfterAllowTraffic: 1 × timed out (sent to green)
        ");
    }

    #[test]
    fn a_phase_has_its_share_of_green_and_its_losses_by_reason() {
        let summary = ledger().summary();
        let canary = &summary.phases[1];
        assert_eq!((canary.sent, canary.blue, canary.green, canary.lost), (100, 90, 10, 3));
        assert_eq!(canary.green_share(), Some(0.1));
        assert_eq!(canary.losses.get("green answered 500"), Some(&3));
        assert_eq!(canary.p50, Some(Duration::from_millis(2)));
        assert_eq!(canary.p99, Some(Duration::from_millis(40)));
        assert_eq!((summary.total.sent, summary.total.lost), (1309, 8));
    }

    #[test]
    fn requests_of_others_are_left_alone() {
        let (mine, other) = (Ledger::new(), Ledger::new());
        let ticket = mine.book(Timestamp::UNIX_EPOCH);
        other.book(Timestamp::UNIX_EPOCH);
        other.join(&told(&ticket, Some(200), Some(Colour::Blue)));
        assert_eq!(other.entries()[0].answered_by, None);
        mine.join(&told(&ticket, Some(200), Some(Colour::Blue)));
        assert_eq!(mine.entries()[0].answered_by, Some(AnsweredBy::Blue));
        assert_eq!(index("nonsense", 1), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_ledger_is_settled_when_every_request_has_ended_and_is_joined() {
        let ledger = Ledger::new();
        let ticket = ledger.book(Timestamp::UNIX_EPOCH);
        let told = told(&ticket, Some(200), Some(Colour::Green));
        ledger.close(ticket, End::Status(200), Duration::from_millis(1));
        assert_eq!(ledger.settled(Duration::from_secs(1)).await, 1, "the access log has not told yet");
        ledger.join(&told);
        assert_eq!(ledger.settled(Duration::from_secs(1)).await, 0);
    }

    #[test]
    fn a_machine_reads_milliseconds() {
        let told = serde_json::to_value(ledger().summary()).expect("it is data");
        assert_eq!(told["phases"][1]["name"], "AllowTraffic");
        assert_eq!(told["phases"][1]["p99"], 40.0);
        assert_eq!(told["total"]["losses"]["the load balancer answered 503"], 2);
    }
}

//! A log that panics when the report is to be written.

use std::fmt::Debug;
use std::io::Write as _;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// From now on the log is this one: whoever starts another one later does not get it.
pub(super) fn panics() {
    tracing::subscriber::set_global_default(Log).expect("no log has been started yet");
}

struct Log;

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("greenlight")
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        assert!(!line.is_report, "{}", super::TEXT);
        // Nobody could be told that standard output is gone.
        let _ = writeln!(std::io::stdout(), "{} {}", event.metadata().level(), line.message);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line {
    message: String,
    is_report: bool,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "report" => self.is_report = true,
            _ => {}
        }
    }
}

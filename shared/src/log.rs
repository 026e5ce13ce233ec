//! The function's log, in the format and from the level that Lambda asks for.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-advanced.html>

use std::fmt;
use std::io::{self, Write};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber, error, info};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use crate::redaction::Redactions;
use crate::report::{Report, Verdict};
use crate::settings::Settings;
use crate::stage::Stage;

/// Field that holds a whole report as JSON; a JSON line takes its fields, a text line leaves it out.
const REPORT: &str = "report";

/// Field that holds a whole report as text; a text line is that, a JSON line leaves it out.
const TEXT: &str = "text";

/// Sends what is logged to standard output, where Lambda collects it. Secrets that were read are cut out of every line.
pub fn start(settings: &Settings, redactions: &Redactions) {
    let subscriber = tracing_subscriber::fmt()
        .event_format(Lines { json: settings.log_json })
        .with_max_level(level(settings.log_level.as_deref()))
        .with_writer(Clean { redactions: redactions.clone() })
        .finish();
    // A process that serves twice, as tests do, keeps its first log.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Writes the report: as it is for people, or as one structured event.
pub fn report(report: &Report) {
    let (line, text, json) = (report.first_line(), report.text(), report.json().to_string());
    match report.verdict() {
        Verdict::Proceed => info!(report = json, text, "{line}"),
        Verdict::Stop => error!(report = json, text, "{line}"),
    }
}

/// Lambda's words, of which `FATAL` is our `ERROR`. Anything else is `INFO`.
fn level(name: Option<&str>) -> LevelFilter {
    match name.map(str::to_ascii_uppercase).as_deref() {
        Some("TRACE") => LevelFilter::TRACE,
        Some("DEBUG") => LevelFilter::DEBUG,
        Some("WARN") => LevelFilter::WARN,
        Some("ERROR" | "FATAL") => LevelFilter::ERROR,
        _ => LevelFilter::INFO,
    }
}

/// One event as one JSON object on a line, or as text.
struct Lines {
    json: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let level = *event.metadata().level();
        let ours = is_ours(event.metadata().target());
        if !ours && level > Level::WARN {
            return Ok(());
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        if !ours && fields.is_the_runtimes_echo() {
            return Ok(());
        }
        if self.json {
            writeln!(line, "{}", fields.object(level, event.metadata().target()))
        } else {
            writeln!(line, "{}", fields.text(level))
        }
    }
}

/// Other crates may write headers and statements into their finer lines: only their warnings are shown.
fn is_ours(target: &str) -> bool {
    let name = target.split("::").next().unwrap_or_default();
    ["greenlight", "report_failure"].contains(&name)
        || Stage::ALL.iter().any(|stage| stage.hook_name().replace('-', "_") == name)
}

/// The fields of an event.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn object(self, level: Level, target: &str) -> Value {
        let mut object = self.0;
        object.remove(TEXT);
        if let Some(Value::String(report)) = object.remove(REPORT)
            && let Ok(Value::Object(report)) = serde_json::from_str(&report)
        {
            object.extend(report);
        }
        object.insert("timestamp".to_owned(), jiff::Timestamp::now().to_string().into());
        object.insert("level".to_owned(), level.as_str().into());
        object.insert("target".to_owned(), target.into());
        Value::Object(object)
    }

    /// The runtime repeats the handler's error as Rust prints it; it has been logged in words.
    fn is_the_runtimes_echo(&self) -> bool {
        self.0.get("message").and_then(Value::as_str).is_some_and(|message| message.starts_with("Diagnostic {"))
    }

    /// Fields stand in the message where people need them.
    fn text(&self, level: Level) -> String {
        let written = |name: &str| self.0.get(name).and_then(Value::as_str);
        match written(TEXT) {
            Some(report) => format!("{level:<5} {}", report.trim_end()),
            None => format!("{level:<5} {}", written("message").unwrap_or_default()),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

/// Standard output, without secrets.
struct Clean {
    redactions: Redactions,
}

impl<'a> MakeWriter<'a> for Clean {
    type Writer = CleanLine<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        CleanLine(&self.redactions)
    }
}

/// One line, which the formatter writes in one piece.
struct CleanLine<'a>(&'a Redactions);

impl Write for CleanLine<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut out = io::stdout().lock();
        out.write_all(self.0.clean(&String::from_utf8_lossy(line)).as_bytes())?;
        out.flush()?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        let Value::Object(fields) = value else { return Fields::default() };
        Fields(fields)
    }

    #[test]
    fn a_report_is_text_for_people_and_fields_for_machines() {
        let event =
            || fields(json!({"message": "STOP …", "text": "STOP …\n\n  FAILED\n", "report": r#"{"verdict":"stop"}"#}));
        assert_snapshot!(event().text(Level::ERROR), @r#"
        ERROR STOP …

          FAILED
        "#);
        let mut object = event().object(Level::ERROR, "greenlight");
        object["timestamp"] = "then".into();
        assert_snapshot!(object, @r#"{"level":"ERROR","message":"STOP …","target":"greenlight","timestamp":"then","verdict":"stop"}"#);
    }

    #[test]
    fn only_our_own_lines_are_shown_below_a_warning() {
        assert!(is_ours("greenlight::hook") && is_ours("before_allow_traffic"));
        assert!(!is_ours("aws_sigv4::http_request") && !is_ours("sqlx::query"));
    }

    #[test]
    fn lambdas_levels_are_understood() {
        assert_eq!(level(Some("FATAL")), LevelFilter::ERROR);
        assert_eq!(level(Some("debug")), LevelFilter::DEBUG);
        assert_eq!(level(Some("loud")), LevelFilter::INFO);
        assert_eq!(level(None), LevelFilter::INFO);
    }
}

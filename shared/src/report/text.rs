//! The report for people.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Outcome, Report, Row};

/// Column in which ids begin, and evidence below them.
const INDENT: usize = 15;

pub(super) fn render(report: &Report) -> String {
    let mut text = report.first_line();
    text.push('\n');
    let rows = report.worst_first();
    if !rows.is_empty() {
        text.push('\n');
    }
    let widest = rows.iter().filter(|row| is_short(row)).map(|row| row.id.len()).max().unwrap_or_default();
    for row in rows {
        let advisory = if row.advisory { " (advisory)" } else { "" };
        let label = row.outcome.label();
        if is_short(row) {
            push(&mut text, format_args!("  {label:<13}{:<widest$}  {}{advisory}", row.id, row.evidence));
            continue;
        }
        push(&mut text, format_args!("  {label:<13}{}{advisory}", row.id));
        push(&mut text, format_args!("{:INDENT$}{}", "", row.evidence));
        if let Some(remedy) = &row.remedy {
            push(&mut text, format_args!("{:INDENT$}do: {remedy}", ""));
        }
    }
    push(
        &mut text,
        format_args!("\n  {} of {} used.{}{}", seconds(report.used), seconds(report.given), plan(report), page(report)),
    );
    text
}

/// What passed has nothing to tell but its evidence.
fn is_short(row: &Row) -> bool {
    row.outcome == Outcome::Passed
}

fn plan(report: &Report) -> String {
    report.plan.as_deref().map(|plan| format!("  Plan: {plan}.")).unwrap_or_default()
}

/// The page of the worst row that did not pass.
fn page(report: &Report) -> String {
    let worst = report.worst_first().into_iter().find(|row| row.outcome != Outcome::Passed);
    worst.map(|row| format!("  docs/checks/{}.md", row.id)).unwrap_or_default()
}

/// `340 ms`, `4.2 s`, `43 s`.
pub(super) fn seconds(duration: Duration) -> String {
    match duration.as_secs_f64() {
        under_one if under_one < 1.0 => format!("{} ms", duration.as_millis()),
        under_ten if under_ten < 9.95 && under_ten.fract() > 0.05 => format!("{under_ten:.1} s"),
        seconds => format!("{seconds:.0} s"),
    }
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a text can always grow");
}

//! The report for machines.

use serde_json::{Value, json};

use super::{Report, Verdict};

pub(super) fn render(report: &Report) -> Value {
    let checks: Vec<Value> = report
        .rows
        .iter()
        .map(|row| {
            json!({
                "check.id": row.id,
                "question": row.question,
                "outcome": row.outcome.name(),
                "evidence": row.evidence,
                "remedy": row.remedy,
                "advisory": row.advisory,
                "duration_ms": millis(row.took),
            })
        })
        .collect();
    json!({
        "verdict": match report.verdict() { Verdict::Proceed => "go", Verdict::Stop => "stop" },
        "outcome": report.outcome().name(),
        "stage": report.stage.event_name(),
        "hook": report.stage.hook_name(),
        "deployment.id": report.subject.id.0,
        "service.name": report.subject.service,
        "rollback": report.subject.rollback.is_some(),
        "traffic": report.subject.traffic.words(report.verdict()),
        "reason": report.reason(),
        "plan.source": report.plan,
        "checks": checks,
        "duration_ms": millis(report.used),
    })
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

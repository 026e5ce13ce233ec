use insta::assert_snapshot;

use super::*;
use crate::fakes::deployment;
use crate::ports::Secret;

fn row(id: &str, outcome: Outcome, evidence: &str) -> Row {
    Row {
        id: id.to_owned(),
        question: "Is it so?".to_owned(),
        outcome,
        evidence: evidence.to_owned(),
        remedy: (outcome != Outcome::Passed).then(|| "Fix it, redeploy.".to_owned()),
        took: Duration::from_millis(1200),
        advisory: false,
    }
}

fn report(rows: Vec<Row>) -> Report {
    Report {
        stage: Stage::AfterAllowTestTraffic,
        subject: Subject::described(&deployment()),
        plan: Some("defaults".to_owned()),
        rows,
        used: Duration::from_secs(43),
        given: Duration::from_secs(60),
    }
}

#[test]
fn outcomes_are_ordered_from_best_to_worst() {
    let order = [Outcome::Passed, Outcome::NotYet, Outcome::CannotTell, Outcome::Failed];
    assert!(order.is_sorted());
}

#[test]
fn only_a_blocking_row_that_did_not_pass_stops() {
    use Outcome::{CannotTell, Failed, NotYet, Passed};
    let table = [
        (vec![], Verdict::Proceed),
        (vec![(Passed, false)], Verdict::Proceed),
        (vec![(Passed, false), (NotYet, false)], Verdict::Stop),
        (vec![(Passed, false), (CannotTell, false)], Verdict::Stop),
        (vec![(Passed, false), (Failed, false)], Verdict::Stop),
        (vec![(Passed, false), (Failed, true), (CannotTell, true)], Verdict::Proceed),
    ];
    for (rows, verdict) in table {
        let rows = rows.iter().map(|(outcome, advisory)| Row { advisory: *advisory, ..row("x", *outcome, "seen") });
        let report = report(rows.collect());
        assert_eq!(report.verdict(), verdict, "{}", report.text());
    }
}

#[test]
fn a_rollback_goes_on_whatever_its_rows_say() {
    let mut report = report(vec![row("x", Outcome::Failed, "seen")]);
    report.subject.rollback = Some(Rollback::Automatic { of: Some(DeploymentId("d-BROKEN".to_owned())) });
    assert_eq!(report.verdict(), Verdict::Proceed);
    assert_snapshot!(report.first_line(), @"GO  after-allow-test-traffic  shop/orders  d-3QX9ZK2LE  traffic is on blue (orders:41): rollback of d-BROKEN, no question is asked");
}

#[test]
fn the_worst_row_comes_first_and_its_page_is_named() {
    let report = report(vec![
        row("green-runs-target-revision", Outcome::Passed, "3 of 3 tasks on orders:42"),
        row("test-traffic-error-rate", Outcome::CannotTell, "CloudWatch has no data for 13:00–13:05"),
        row("green-answers", Outcome::Failed, "GET /healthz replied 503 five times in 41 s"),
        Row { advisory: true, ..row("alarms-are-quiet", Outcome::Failed, "orders-5xx is in ALARM since 12:58") },
    ]);
    assert_snapshot!(report.text(), @r#"
    STOP  after-allow-test-traffic  shop/orders  d-3QX9ZK2LE  traffic stays on blue (orders:41): green-answers: GET /healthz replied 503 five times in 41 s (and 1 more)

      FAILED       green-answers
                   GET /healthz replied 503 five times in 41 s
                   do: Fix it, redeploy.
      CANNOT TELL  test-traffic-error-rate
                   CloudWatch has no data for 13:00–13:05
                   do: Fix it, redeploy.
      FAILED       alarms-are-quiet (advisory)
                   orders-5xx is in ALARM since 12:58
                   do: Fix it, redeploy.
      PASSED       green-runs-target-revision  3 of 3 tasks on orders:42

      43 s of 60 s used.  Plan: defaults.  docs/checks/green-answers.md
    "#);
}

#[test]
fn a_deployment_that_goes_on_says_so_in_one_line() {
    assert_snapshot!(report(vec![row("green-answers", Outcome::Passed, "green answered 200")]).text(), @r#"
    GO  after-allow-test-traffic  shop/orders  d-3QX9ZK2LE  traffic is on blue (orders:41): 1 check passed

      PASSED       green-answers  green answered 200

      43 s of 60 s used.  Plan: defaults.
    "#);
}

#[test]
fn nothing_but_the_id_is_known() {
    let mut report = report(vec![row(
        "deployment-is-known",
        Outcome::CannotTell,
        "codedeploy:GetDeployment of d-1: no answer in time",
    )]);
    report.subject = Subject::unknown(DeploymentId("d-1".to_owned()));
    assert_snapshot!(report.first_line(), @"STOP  after-allow-test-traffic  service unknown  d-1  traffic is where it was (not known): deployment-is-known: codedeploy:GetDeployment of d-1: no answer in time");
}

#[test]
fn one_event_holds_it_all() {
    let json = report(vec![row("green-answers", Outcome::Failed, "GET / replied 503")]).json();
    assert_snapshot!(serde_json::to_string_pretty(&json).expect("JSON can be printed"), @r#"
    {
      "checks": [
        {
          "advisory": false,
          "check.id": "green-answers",
          "duration_ms": 1200,
          "evidence": "GET / replied 503",
          "outcome": "failed",
          "question": "Is it so?",
          "remedy": "Fix it, redeploy."
        }
      ],
      "deployment.id": "d-3QX9ZK2LE",
      "duration_ms": 43000,
      "hook": "after-allow-test-traffic",
      "outcome": "failed",
      "plan.source": "defaults",
      "reason": "green-answers: GET / replied 503",
      "rollback": false,
      "service.name": "shop/orders",
      "stage": "AfterAllowTestTraffic",
      "traffic": "traffic stays on blue (orders:41)",
      "verdict": "stop"
    }
    "#);
}

/// An application may answer with line breaks that look like rows of the report, or with the database's password.
#[test]
fn foreign_text_can_neither_forge_a_row_nor_leak_a_secret() {
    let redactions = Redactions::default();
    redactions.learn(&Secret::new("hunter2!"));
    let evidence = "replied 500\n\n  PASSED       everything\u{1b}[2J password hunter2!";
    let report = report(vec![row("green-answers", Outcome::Failed, evidence)]).cleaned(&redactions);
    assert_snapshot!(report.rows[0].evidence, @"replied 500 PASSED everything [2J password [secret]");
    assert!(!report.json().to_string().contains("hunter2"));
}

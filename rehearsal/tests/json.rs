//! `rehearse run --json`: what a gate in a pipeline reads, from the real program with the real hooks.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::Command;

use serde_json::Value;

#[path = "support/programs.rs"]
mod programs;

/// Expects what does not come: the service is deployed without any hook and succeeds.
const DISAPPOINTED: &str = "
story: Without a hook nobody objects.
service: { database: false }
hooks:
  before_install: { none: true }
  after_install: { none: true }
  after_allow_test_traffic: { none: true }
  before_allow_traffic: { none: true }
  after_allow_traffic: { none: true }
traffic: { requests: [{ path: /version }] }
expect: { status: Failed, lost: 0 }
";

/// As above by ECS, whose hook gives no answer.
const BY_ECS: &str = "
story: A function that answers nothing.
service: { database: false }
hooks:
  before_install: { none: true }
  after_install: { command: ./silent.sh }
  after_allow_test_traffic: { none: true }
  before_allow_traffic: { none: true }
  after_allow_traffic: { none: true }
traffic: { requests: [{ path: /version }] }
expect: { status: Failed, ends_at: AfterInstall, rolled_back: true, lost: 0 }
";

#[test]
fn of_ecs_a_gate_reads_the_same_in_the_words_of_ecs() {
    let folder = tempfile::tempdir().unwrap();
    let (scenario, file) = (folder.path().join("by-ecs.yaml"), folder.path().join("outcome.json"));
    std::fs::write(&scenario, BY_ECS).unwrap();
    let mut run = Command::new(programs::rehearse());
    run.args(["run", "--engine", "ecs"]).arg(&scenario).arg("--json").arg(&file);
    let run = run.output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
    let outcomes: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let outcome = &outcomes[0];
    assert_eq!((&outcome["engine"], &outcome["as_expected"]), (&"ecs".into(), &true.into()));
    assert_eq!((&outcome["status"], &outcome["ended_at"]), (&"ROLLBACK_SUCCESSFUL".into(), &"POST_SCALE_UP".into()));
    assert_eq!(outcome["error"]["code"], Value::Null);
    assert!(outcome["error"]["message"].as_str().unwrap().contains("after-install failed"), "{outcome}");
    assert_eq!(outcome["rollback"]["deployment"], outcome["deployment"]);
    let arn = outcome["deployment"].as_str().unwrap();
    assert!(arn.starts_with("arn:aws:ecs:eu-west-1:123456789012:service-deployment/shop/orders/"), "{arn}");
    let events: Vec<_> = outcome["events"].as_array().unwrap().iter().map(|it| (&it["name"], &it["status"])).collect();
    let event = |name: &'static str, status: &'static str| (Value::from(name), Value::from(status));
    let expected =
        [event("PRE_SCALE_UP", "Succeeded"), event("SCALE_UP", "Succeeded"), event("POST_SCALE_UP", "Failed")];
    assert!(events.into_iter().eq(expected.iter().map(|(name, status)| (name, status))), "{outcome}");
    let [hook] = outcome["hooks"].as_array().unwrap().as_slice() else { panic!("one call: {outcome}") };
    assert_eq!((&hook["event"], &hook["deployment"]), (&"POST_SCALE_UP".into(), &outcome["deployment"]));
    assert_eq!(hook["ended"], "crashed");
}

#[test]
fn a_gate_reads_what_ended_why_and_who_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (scenario, file) = (folder.path().join("disappointed.yaml"), folder.path().join("outcome.json"));
    std::fs::write(&scenario, DISAPPOINTED).unwrap();
    let run = Command::new(programs::rehearse())
        .args(["run", "green-breaks-under-test-traffic", "hook-without-permission"])
        .arg(&scenario)
        .arg("--json")
        .arg(&file)
        .output()
        .unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert_eq!(run.status.code(), Some(1), "{told}");
    assert!(told.contains("rehearse: not as expected: disappointed\n"), "{told}");
    let outcomes: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let [stopped, refused, disappointed] = outcomes.as_array().unwrap().as_slice() else {
        panic!("three outcomes in {outcomes}")
    };
    a_stopped_deployment(stopped);
    an_answer_that_was_refused(refused);
    an_expectation_that_did_not_hold(disappointed);
}

fn a_stopped_deployment(outcome: &Value) {
    assert_eq!(outcome["as_expected"], true);
    assert_eq!((&outcome["status"], &outcome["ended_at"]), (&"Failed".into(), &"AfterAllowTestTraffic".into()));
    assert_eq!(outcome["error"]["code"], "HOOK_EXECUTION_FAILURE");
    assert_eq!(outcome["rollback"]["status"], "Succeeded");
    assert_eq!(outcome["production"], serde_json::json!([{ "colour": "blue", "percent": 100 }]));
    let events: Vec<_> =
        outcome["events"].as_array().unwrap().iter().map(|it| it["status"].as_str().unwrap()).collect();
    assert_eq!(events, ["Succeeded", "Succeeded", "Succeeded", "Succeeded", "Failed", "Skipped", "Skipped", "Skipped"]);
    assert_eq!(outcome["ledger"]["total"]["lost"], 0);

    let hooks = outcome["hooks"].as_array().unwrap();
    let verdicts: Vec<_> = hooks.iter().map(|it| (it["event"].as_str(), it["verdict"].as_str())).collect();
    let go = |event| (Some(event), Some("go"));
    assert_eq!(
        verdicts,
        [go("BeforeInstall"), go("AfterInstall"), (Some("AfterAllowTestTraffic"), Some("stop"))],
        "{hooks:?}"
    );
    let last = hooks.last().unwrap();
    assert_eq!(last["deployment"], outcome["deployment"]);
    assert!(last["first_line"].as_str().unwrap().starts_with("STOP  after-allow-test-traffic  shop/orders  d-"));
    let rows = last["report"]["checks"].as_array().unwrap();
    let failed: Vec<_> = rows.iter().filter(|row| row["outcome"] == "failed").map(|row| &row["check.id"]).collect();
    assert_eq!(failed, ["requests-pass"]);
    let calls = &outcome["calls"]["CodeDeployHook_greenlight-after-allow-test-traffic"];
    assert_eq!(calls["codedeploy:PutLifecycleEventHookExecutionStatus"], 1);
}

/// The function itself fails then and returns no report; its log has the line all the same.
fn an_answer_that_was_refused(outcome: &Value) {
    assert_eq!(outcome["as_expected"], true);
    let hooks = outcome["hooks"].as_array().unwrap();
    let undelivered = hooks.iter().find(|it| it["ended"] == "errored").unwrap();
    assert_eq!(undelivered["report"], Value::Null);
    assert!(undelivered["first_line"].is_string(), "{undelivered}");
}

fn an_expectation_that_did_not_hold(outcome: &Value) {
    assert_eq!(outcome["as_expected"], false);
    assert_eq!(
        outcome["expectations"],
        serde_json::json!([
            { "key": "status", "held": false, "instead": "expected the deployment to end Failed; it ended Succeeded" },
            { "key": "lost", "held": true, "instead": null },
        ])
    );
    assert_eq!((&outcome["hooks"], &outcome["migrations"]), (&serde_json::json!([]), &Value::Null));
}

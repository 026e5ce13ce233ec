//! What a person writes wrong is said where it stands, and nothing starts.

use insta::assert_snapshot;

use crate::workshop::{Said, Workshop};

/// What `rehearse run` and `rehearse check` say of a scenario: the same, with the code for bad input.
#[track_caller]
fn refusal(keys: &str) -> String {
    let workshop = Workshop::new();
    workshop.write("mine.yaml", format!("story: x\n{keys}\n"));
    refusal_of(&workshop, "mine.yaml")
}

#[track_caller]
fn refusal_of(workshop: &Workshop, file: &str) -> String {
    let Said { code, out, err } = workshop.rehearse(&["check", file]);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
    let run = workshop.rehearse(&["run", file]);
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (Some(2), "", err.as_str()));
    assert!(workshop.folders().is_empty() && workshop.processes().is_empty(), "nothing was started");
    err.strip_prefix("rehearse: ").expect("an error").trim_end().to_owned()
}

#[track_caller]
fn first_lines(all: &[&str]) -> String {
    let line = |keys: &&str| refusal(keys).lines().next().unwrap_or_default().to_owned();
    all.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_slip_of_the_finger_is_said_with_its_place_and_the_nearest_word() {
    assert_snapshot!(refusal("service:\n  desird_count: 2"), @r#"
    mine.yaml:3:3: unknown key `desird_count`; expected one of `name`, `cluster`, `desired_count`, `command`, `port_variable`, `database_variable`, `database`, `database_engine`, `database_status`, `database_certificate`, `database_secret`, `database_identifier`, `database_applications`, `long_report`, `database_iam_user`, `migrations`, `migrations_in_s3`, `migrated_to`, `health_check`, `deregistration_delay`, `zone_without_room`, `health_check_grace_period`; did you mean `desired_count`?
       3 |   desird_count: 2
         |   ^
    "#);
}

/// A person corrects a document once, not once for every mistake in it: neither in the scenario nor in its plan.
#[test]
fn every_mistake_is_said_at_once() {
    let workshop = Workshop::new();
    let scenario = "\
service: { name: \"my service!\", desird_count: 2, health_check: { interval: 10s, timeout: 10s } }
deployment: { config: CodeDeployDefault.ECSAllAtOnc, stop_at: \"AllowTraffic 10 %\" }
alarms:
  - { name: a, metric: HTTPCode_Target_5XX_Cout, at_least: 1 }
  - { name: a, metric: RequestCount }
traffic: { rate: 50 }
hooks: { after_install: { none: true, command: ./hook } }
plan: wrong-plan.yaml
";
    workshop.write("mine.yaml", scenario);
    workshop.write("wrong-plan.yaml", "checks: { alarms-are-quiet: advise }\nproduction: { bake: 180 }\n");
    assert_snapshot!(refusal_of(&workshop, "mine.yaml"), @r#"
    mine.yaml:1:1: the key `story` is missing here
       1 | service: { name: "my service!", desird_count: 2, health_check: { interval: 10s, timeout: 10s } }
         | ^
    mine.yaml:1:18: `my service!` cannot name a service and its target groups; expected 1 to 30 letters, digits and hyphens, no hyphen at either end
       1 | service: { name: "my service!", desird_count: 2, health_check: { interval: 10s, timeout: 10s } }
         |                  ^
    mine.yaml:1:33: unknown key `desird_count`; expected one of `name`, `cluster`, `desired_count`, `command`, `port_variable`, `database_variable`, `database`, `database_engine`, `database_status`, `database_certificate`, `database_secret`, `database_identifier`, `database_applications`, `long_report`, `database_iam_user`, `migrations`, `migrations_in_s3`, `migrated_to`, `health_check`, `deregistration_delay`, `zone_without_room`, `health_check_grace_period`; did you mean `desired_count`?
       1 | service: { name: "my service!", desird_count: 2, health_check: { interval: 10s, timeout: 10s } }
         |                                 ^
    mine.yaml:1:90: a health check's timeout must be shorter than its interval, 10s
       1 | service: { name: "my service!", desird_count: 2, health_check: { interval: 10s, timeout: 10s } }
         |                                                                                          ^
    mine.yaml:2:23: unknown deployment configuration `CodeDeployDefault.ECSAllAtOnc`; expected one of `CodeDeployDefault.ECSAllAtOnce`, `CodeDeployDefault.ECSLinear10PercentEvery1Minutes`, `CodeDeployDefault.ECSLinear10PercentEvery3Minutes`, `CodeDeployDefault.ECSCanary10Percent5Minutes`, `CodeDeployDefault.ECSCanary10Percent15Minutes`; did you mean `CodeDeployDefault.ECSAllAtOnce`?
       2 | deployment: { config: CodeDeployDefault.ECSAllAtOnc, stop_at: "AllowTraffic 10 %" }
         |                       ^
    mine.yaml:4:24: the load balancer counts no `HTTPCode_Target_5XX_Cout`; expected one of `RequestCount`, `HTTPCode_Target_2XX_Count`, `HTTPCode_Target_3XX_Count`, `HTTPCode_Target_4XX_Count`, `HTTPCode_Target_5XX_Count`, `HTTPCode_ELB_4XX_Count`, `HTTPCode_ELB_5XX_Count`, `HTTPCode_ELB_502_Count`, `HTTPCode_ELB_503_Count`, `HTTPCode_ELB_504_Count`, `TargetResponseTime`, `TargetConnectionErrorCount`; did you mean `HTTPCode_Target_5XX_Count`?
       4 |   - { name: a, metric: HTTPCode_Target_5XX_Cout, at_least: 1 }
         |                        ^
    mine.yaml:5:16: the key `at_least` is missing here
       5 |   - { name: a, metric: RequestCount }
         |                ^
    mine.yaml:6:18: `50` is not a rate; expected a rate such as `50/s`, `600/m` or `5/h`
       6 | traffic: { rate: 50 }
         |                  ^
    mine.yaml:7:33: a hook that is left out runs no command; keep one of the two keys
       7 | hooks: { after_install: { none: true, command: ./hook } }
         |                                 ^
    wrong-plan.yaml:1:1: the key `version` is missing here
       1 | checks: { alarms-are-quiet: advise }
         | ^
    wrong-plan.yaml:1:29: unknown word `advise`; expected one of `blocking`, `advisory`; did you mean `advisory`?
       1 | checks: { alarms-are-quiet: advise }
         |                             ^
    wrong-plan.yaml:2:21: `180` has no unit; expected a duration such as `500ms`, `5s`, `3m` or `1h`
       2 | production: { bake: 180 }
         |                     ^
    "#);
}

/// One bad file does not hide what is wrong with the next.
#[test]
fn every_file_is_checked() {
    let workshop = Workshop::new();
    workshop.write("one.yaml", "version: 2\n");
    workshop.write("two.yaml", "version: 1\nwrong: 1\n");
    let Said { code, out, err } = workshop.rehearse(&["check", "one.yaml", "small.yaml", "two.yaml", "three.yaml"]);
    assert_eq!((code, out.as_str()), (Some(2), "small.yaml: a sound scenario\n"), "{err}");
    assert_snapshot!(err, @"
    rehearse: one.yaml:1:10: this version of greenlight reads plans of version 1
       1 | version: 2
         |          ^
    rehearse: two.yaml:2:1: unknown key `wrong`; expected one of `version`, `database`, `before_install`, `secrets`, `test_traffic`, `migrations`, `production`, `function`, `checks`
       2 | wrong: 1
         | ^
    rehearse: three.yaml: there is no such file
    ");
}

#[test]
fn what_no_deployment_can_have_is_refused() {
    assert_snapshot!(first_lines(&[
        "deployment: { canary: { percent: 0%, interval: 5m } }",
        "deployment: { canary: { percent: 100%, interval: 5m } }",
        "deployment: { linear: { percent: 10%, interval: 30s } }",
        "deployment: { config: CodeDeployDefault.ECSAllAtOnce, canary: { percent: 10%, interval: 5m } }",
        "deployment: { config: CodeDeployDefault.ECSAllAtOnc }",
        "deployment: { termination_wait: 90s }",
        "deployment: { stop_at: \"AllowTraffic 20 %\" }",
        "deployment: { stop_at: AfterInstall }\nhooks: { after_install: { none: true } }",
        "hooks: { after_instal: { none: true } }",
        "hooks: { after_install: { none: true, command: ./hook } }",
        "hooks: { after_install: { timeout: 20m } }",
        "expect: { ends_at: AfterAllowTesttraffic }",
    ]), @"
    mine.yaml:2:34: `0%` is no step of a shift; expected whole percent, `1%` to `99%`
    mine.yaml:2:34: `100%` is no step of a shift; expected whole percent, `1%` to `99%`
    mine.yaml:2:49: `30s` is no interval between steps; expected whole minutes, `1m` to `48h`
    mine.yaml:2:23: say one of `config`, `canary` and `linear`, not two
    mine.yaml:2:23: unknown deployment configuration `CodeDeployDefault.ECSAllAtOnc`; expected one of `CodeDeployDefault.ECSAllAtOnce`, `CodeDeployDefault.ECSLinear10PercentEvery1Minutes`, `CodeDeployDefault.ECSLinear10PercentEvery3Minutes`, `CodeDeployDefault.ECSCanary10Percent5Minutes`, `CodeDeployDefault.ECSCanary10Percent15Minutes`; did you mean `CodeDeployDefault.ECSAllAtOnce`?
    mine.yaml:2:33: `1m30s` is no termination wait; expected whole minutes, `0s` to `48h`
    mine.yaml:2:24: the deployment never waits at `AllowTraffic 20 %`; expected one of `BeforeInstall`, `Install`, `AfterInstall`, `AfterAllowTestTraffic`, `BeforeAllowTraffic`, `AllowTraffic 10 %`, `AfterAllowTraffic`, `termination wait`; did you mean `AllowTraffic 10 %`?
    mine.yaml:2:24: the deployment never waits at `AfterInstall`; expected one of `BeforeInstall`, `Install`, `AfterAllowTestTraffic`, `BeforeAllowTraffic`, `AllowTraffic 10 %`, `AfterAllowTraffic`, `termination wait`; did you mean `BeforeInstall`?
    mine.yaml:2:10: unknown word `after_instal`; expected one of `before_install`, `after_install`, `after_allow_test_traffic`, `before_allow_traffic`, `after_allow_traffic`; did you mean `after_install`?
    mine.yaml:2:33: a hook that is left out runs no command; keep one of the two keys
    mine.yaml:2:36: `20m` is out of bounds; a function's timeout takes 1s to 15m
    mine.yaml:2:20: unknown lifecycle event `AfterAllowTesttraffic`; expected one of `BeforeInstall`, `Install`, `AfterInstall`, `AllowTestTraffic`, `AfterAllowTestTraffic`, `BeforeAllowTraffic`, `AllowTraffic`, `AfterAllowTraffic`, `RECONCILE_SERVICE`, `PRE_SCALE_UP`, `SCALE_UP`, `POST_SCALE_UP`, `TEST_TRAFFIC_SHIFT`, `POST_TEST_TRAFFIC_SHIFT`, `PRE_PRODUCTION_TRAFFIC_SHIFT`, `PRODUCTION_TRAFFIC_SHIFT`, `POST_PRODUCTION_TRAFFIC_SHIFT`, `BAKE_TIME`, `CLEAN_UP`; did you mean `AfterAllowTestTraffic`?
    ");
}

#[test]
fn what_no_service_can_have_is_refused() {
    assert_snapshot!(first_lines(&[
        "service: { name: \"my service!\" }",
        "service: { desired_count: 0 }",
        "service: { desired_count: 1000 }",
        "service: { command: \"\" }",
        "service: { port_variable: MY-PORT }",
        "service: { deregistration_delay: 5 }",
        "service: { health_check: { path: health } }",
        "service: { health_check: { interval: 10s, timeout: 10s } }",
        "service: { health_check: { matcher: 2xx } }",
        "green: { environment: { \"A=B\": x } }",
    ]), @r#"
    mine.yaml:2:18: `my service!` cannot name a service and its target groups; expected 1 to 30 letters, digits and hyphens, no hyphen at either end
    mine.yaml:2:27: expected a whole number from 1 to 20: each task is a process on this machine
    mine.yaml:2:27: expected a whole number from 1 to 20: each task is a process on this machine
    mine.yaml:2:21: the command is empty; expected a line for the shell
    mine.yaml:2:27: `MY-PORT` cannot name an environment variable; expected letters, digits and underscores, no digit first
    mine.yaml:2:34: `5` has no unit; expected a duration such as `500ms`, `5s`, `3m` or `1h`
    mine.yaml:2:34: `health` is no path; expected one that starts with `/`
    mine.yaml:2:52: a health check's timeout must be shorter than its interval, 10s
    mine.yaml:2:37: `2xx` matches no answer; expected codes from 200 to 499 such as `200`, `200,204` or `200-299`
    mine.yaml:2:25: `A=B` cannot name an environment variable; expected letters, digits and underscores, no digit first
    "#);
}

#[test]
fn what_users_cannot_ask_is_refused() {
    assert_snapshot!(first_lines(&[
        "traffic: { rate: 0/s }",
        "traffic: { rate: 50/h }",
        "traffic: { rate: 1000000/s }",
        "traffic: { requests: [] }",
        "traffic: { requests: [{ path: health }] }",
        "traffic: { requests: [{ method: GETT, path: /health }] }",
    ]), @r#"
    mine.yaml:2:18: `0/s` is no rate at all; expected 1 or more
    mine.yaml:2:18: users cannot send 50/h here; expected `1/s` to `5000/s`
    mine.yaml:2:18: users cannot send 1000000/s here; expected `1/s` to `5000/s`
    mine.yaml:2:22: users need something to ask; expected at least one request
    mine.yaml:2:31: `health` is no path; expected one that starts with `/`
    mine.yaml:2:33: unknown HTTP method `GETT`; expected one of `GET`, `HEAD`, `POST`, `PUT`, `PATCH`, `DELETE`, `OPTIONS`; did you mean `GET`?
    "#);
}

#[test]
fn an_alarm_or_a_fault_that_can_never_strike_is_refused() {
    assert_snapshot!(first_lines(&[
        "alarms: [{ name: a, metric: HTTPCode_Target_5X_Count, at_least: 1 }]",
        "alarms: [{ name: a, metric: UnHealthyHostCount, at_least: 1 }]",
        "alarms: [{ name: a, metric: RequestCount, at_least: 1, statistic: Summ }]",
        "alarms: [{ name: a, metric: RequestCount, at_least: 1, period: 30s }]",
        "alarms: [{ name: a, metric: RequestCount, at_least: 1 }, { name: a, metric: RequestCount, at_least: 2 }]",
        "faults: [{ operation: PutLifecycleHookExecutionStatus, answer: throttled }]",
        "faults: [{ operation: GetDeployment, answer: throttled, times: 0 }]",
    ]), @r#"
    mine.yaml:2:29: the load balancer counts no `HTTPCode_Target_5X_Count`; expected one of `RequestCount`, `HTTPCode_Target_2XX_Count`, `HTTPCode_Target_3XX_Count`, `HTTPCode_Target_4XX_Count`, `HTTPCode_Target_5XX_Count`, `HTTPCode_ELB_4XX_Count`, `HTTPCode_ELB_5XX_Count`, `HTTPCode_ELB_502_Count`, `HTTPCode_ELB_503_Count`, `HTTPCode_ELB_504_Count`, `TargetResponseTime`, `TargetConnectionErrorCount`; did you mean `HTTPCode_Target_5XX_Count`?
    mine.yaml:2:29: `UnHealthyHostCount` is counted for target groups only; add `of: green` or `of: blue`
    mine.yaml:2:67: unknown statistic `Summ`; expected one of `Sum`, `Average`, `Minimum`, `Maximum`, `SampleCount`, `p50`, `p90`, `p99`; did you mean `Sum`?
    mine.yaml:2:64: `30s` is no period of an alarm; expected whole minutes, `1m` to `24h`
    mine.yaml:2:77: two alarms are called `a`
    mine.yaml:2:23: the rehearsal answers no operation `PutLifecycleHookExecutionStatus`; did you mean `PutLifecycleEventHookExecutionStatus`?
    mine.yaml:2:64: expected a whole number from 1 to 1000000
    "#);
}

#[test]
fn files_that_a_scenario_needs_are_looked_at_before_anything_starts() {
    let workshop = Workshop::new();
    workshop.write("plans/wrong.yaml", "version: 1\nproduction: { bak: 3m }\n");
    workshop.write("schema/0001_orders.sql", "CREATE TABLE orders ();");
    workshop.write("empty/README", "");
    let refusals = [
        "plan: plans/none.yaml",
        "plan: plans",
        "plan: plans/wrong.yaml",
        "service: { migrations: none }",
        "service: { migrations: empty }",
        "service: { migrations: schema, migrated_to: 7 }",
        "service: { database: false }\nexpect: { migrations: [1] }",
    ];
    let refusals = refusals.map(|keys| {
        workshop.write("mine.yaml", format!("story: x\n{keys}\n"));
        refusal_of(&workshop, "mine.yaml").lines().next().unwrap_or_default().to_owned()
    });
    assert_snapshot!(refusals.join("\n"), @r#"
    mine.yaml:2:7: the plan plans/none.yaml cannot be read: there is no such file
    mine.yaml:2:7: the plan plans cannot be read: this is a folder; name a file in it
    plans/wrong.yaml:2:15: unknown key `bak`; expected one of `bake`, `requests`, `errors`; did you mean `bake`?
    mine.yaml:2:24: the folder of migrations none cannot be read: No such file or directory (os error 2)
    mine.yaml:2:24: no migration is in empty; expected files such as `0001_orders.sql`
    mine.yaml:2:45: no migration of schema has version 7; expected one of 1
    mine.yaml:3:23: there are no migrations here: the service has `database: false`
    "#);
}

#[test]
fn what_is_no_document_at_all_is_said_in_plain_words() {
    let workshop = Workshop::new();
    workshop.write("empty.yaml", "");
    workshop.write("list.yaml", "[1, 2]\n");
    workshop.write("no-story.yaml", "service: {}\n");
    workshop.write("empty-story.yaml", "story: ' '\n");
    workshop.write("latin-1.yaml", b"story: x\n# caf\xe9\n");
    workshop.write("huge.yaml", "x".repeat(300 * 1024));
    workshop.write("folder.yaml/in-it", "");
    let files =
        ["empty.yaml", "no-story.yaml", "empty-story.yaml", "latin-1.yaml", "huge.yaml", "folder.yaml", "/dev/zero"];
    assert_snapshot!(files.map(|file| refusal_of(&workshop, file)).join("\n"), @r#"
    empty.yaml:1:1: the document is empty or ends too early
    no-story.yaml:1:1: the key `story` is missing here
       1 | service: {}
         | ^
    empty-story.yaml:1:8: the story is empty; expected a sentence or two on what happens here
       1 | story: ' '
         |        ^
    latin-1.yaml:2:6: this is not UTF-8 text
    huge.yaml: it has more than 256 KiB; no document of that size is read
    folder.yaml: this is a folder; name a file in it
    /dev/zero: it has more than 256 KiB; no document of that size is read
    "#);
}

#[test]
fn every_file_that_is_named_is_looked_at() {
    let workshop = Workshop::new();
    workshop.write("one.yaml", "story: x\nservise: {}\n");
    workshop.write("two.yaml", "story: x\nplann: x\n");
    for verb in ["check", "run"] {
        let said = workshop.rehearse(&[verb, "one.yaml", "small.yaml", "two.yaml"]);
        assert_eq!(said.code, Some(2));
        assert!(said.err.contains("one.yaml:2:1") && said.err.contains("two.yaml:2:1"), "{}", said.err);
    }
    assert_eq!(workshop.rehearse(&["check", "small.yaml"]).out, "small.yaml: a sound scenario\n");
}

#[test]
fn a_scenario_that_does_not_exist_is_met_with_the_nearest_that_does() {
    let said = Workshop::new().rehearse(&["run", "canry"]);
    let error = said.one_line_error();
    assert_eq!(said.code, Some(2));
    assert!(error.starts_with("no scenario and no file is called `canry`"), "{error}");
    assert!(error.ends_with("did you mean `canary`?"), "{error}");
}

#[test]
fn what_ecs_does_not_take_is_said_with_what_it_takes() {
    assert_snapshot!(
        first_lines(&[
            "engine: eks",
            "on_ecs: { bake: 90s }",
            "on_ecs: { pauses: [{ stage: PRODUCTION_TRAFFIC_SHIFT }] }",
            "on_ecs: { pauses: [{ stage: SCALE_UP }] }",
            "on_ecs: { pauses: [{ stage: PRE_SCALE_UP, continues_after: 1m, rolls_back_after: 2m }] }",
            "on_ecs: { pauses: [{ stage: PRE_SCALE_UP, continues_after: 2h, timeout: { after: 1h } }] }",
            "on_ecs: { hooks: { after_install: { stages: [] } } }",
            "on_ecs: { hooks: { after_install: { stages: [AFTER_INSTALL] } } }",
            "on_ecs: { hooks: { after_install: { timeout: { after: 2d } } } }",
            "on_ecs: { hooks: { after_install: { timeout: { after: 25h } } } }",
            "on_ecs: { hooks: { after_install: { timeout: { after: 1h, action: stop } } } }",
            "on_ecs: { stop: at-once }",
            "engine: ecs\nfunction: { name: f, command: ./f }",
            "engine: ecs\ndeployment: { stop_at: PRODUCTION_TRAFFIC_SHIFT }",
            "engine: ecs\nhooks: { after_install: { none: true } }\ndeployment: { stop_at: AfterInstall }",
            "expect: { ends_at: PRE_SCALE }",
        ]),
        @"
        mine.yaml:2:9: unknown word `eks`; expected one of `codedeploy`, `ecs`; did you mean `ecs`?
        mine.yaml:2:17: `1m30s` is no bake; expected whole minutes, `0s` to `24h`
        mine.yaml:2:29: ECS takes no pause at PRODUCTION_TRAFFIC_SHIFT; expected one of `RECONCILE_SERVICE`, `PRE_SCALE_UP`, `POST_SCALE_UP`, `POST_TEST_TRAFFIC_SHIFT`, `PRE_PRODUCTION_TRAFFIC_SHIFT`, `POST_PRODUCTION_TRAFFIC_SHIFT`; did you mean `PRE_PRODUCTION_TRAFFIC_SHIFT`?
        mine.yaml:2:29: unknown word `SCALE_UP`; expected one of `RECONCILE_SERVICE`, `PRE_SCALE_UP`, `POST_SCALE_UP`, `TEST_TRAFFIC_SHIFT`, `POST_TEST_TRAFFIC_SHIFT`, `PRE_PRODUCTION_TRAFFIC_SHIFT`, `PRODUCTION_TRAFFIC_SHIFT`, `POST_PRODUCTION_TRAFFIC_SHIFT`; did you mean `POST_SCALE_UP`?
        mine.yaml:2:82: a person decides once; keep one of `continues_after` and `rolls_back_after`
        mine.yaml:2:60: nobody waits so long: the pause's `timeout` is over by then
        mine.yaml:2:45: a hook needs a stage at which it is called; to leave it out write `hooks: { …: { none: true } }`
        mine.yaml:2:46: unknown word `AFTER_INSTALL`; expected one of `RECONCILE_SERVICE`, `PRE_SCALE_UP`, `POST_SCALE_UP`, `TEST_TRAFFIC_SHIFT`, `POST_TEST_TRAFFIC_SHIFT`, `PRE_PRODUCTION_TRAFFIC_SHIFT`, `PRODUCTION_TRAFFIC_SHIFT`, `POST_PRODUCTION_TRAFFIC_SHIFT`
        mine.yaml:2:55: `2d` is not a duration; expected a duration such as `500ms`, `5s`, `3m` or `1h`
        mine.yaml:2:46: ECS waits a day at most for a function; expected `1m` to `24h`
        mine.yaml:2:67: unknown word `stop`; expected one of `rollback`, `continue`
        mine.yaml:2:17: unknown word `at-once`; expected one of `rollback`, `abort`
        mine.yaml:3:11: ECS deploys services; a function's deployment is CodeDeploy's: `engine: codedeploy`
        mine.yaml:3:24: the deployment never waits at `PRODUCTION_TRAFFIC_SHIFT`; expected one of `PRE_SCALE_UP`, `SCALE_UP`, `POST_SCALE_UP`, `POST_TEST_TRAFFIC_SHIFT`, `PRE_PRODUCTION_TRAFFIC_SHIFT`, `PRODUCTION_TRAFFIC_SHIFT 10 %`, `POST_PRODUCTION_TRAFFIC_SHIFT`, `BAKE_TIME`; did you mean `PRODUCTION_TRAFFIC_SHIFT 10 %`?
        mine.yaml:4:24: the deployment never waits at `AfterInstall`; expected one of `PRE_SCALE_UP`, `SCALE_UP`, `POST_TEST_TRAFFIC_SHIFT`, `PRE_PRODUCTION_TRAFFIC_SHIFT`, `PRODUCTION_TRAFFIC_SHIFT 10 %`, `POST_PRODUCTION_TRAFFIC_SHIFT`, `BAKE_TIME`
        mine.yaml:2:20: unknown lifecycle event `PRE_SCALE`; expected one of `BeforeInstall`, `Install`, `AfterInstall`, `AllowTestTraffic`, `AfterAllowTestTraffic`, `BeforeAllowTraffic`, `AllowTraffic`, `AfterAllowTraffic`, `RECONCILE_SERVICE`, `PRE_SCALE_UP`, `SCALE_UP`, `POST_SCALE_UP`, `TEST_TRAFFIC_SHIFT`, `POST_TEST_TRAFFIC_SHIFT`, `PRE_PRODUCTION_TRAFFIC_SHIFT`, `PRODUCTION_TRAFFIC_SHIFT`, `POST_PRODUCTION_TRAFFIC_SHIFT`, `BAKE_TIME`, `CLEAN_UP`; did you mean `PRE_SCALE_UP`?
        "
    );
}

#[test]
fn an_engine_that_is_named_beside_a_scenario_is_checked_too() {
    let workshop = Workshop::new();
    workshop.write("function.yaml", "story: x\nfunction: { name: f, command: ./f }\n");
    let wrong = workshop.rehearse(&["run", "function.yaml", "--engine", "ecs"]);
    assert_eq!((wrong.code, wrong.out.as_str()), (Some(2), ""));
    assert!(wrong.err.contains("function.yaml:2:11: ECS deploys services"), "{}", wrong.err);
    let unknown = workshop.rehearse(&["run", "function.yaml", "--engine", "eks"]);
    assert_eq!((unknown.code, unknown.out.as_str()), (Some(2), ""));
    assert!(unknown.err.contains("expected one of `codedeploy`, `ecs`; did you mean `ecs`?"), "{}", unknown.err);
}

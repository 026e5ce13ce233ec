//! Every scenario is played by the real `rehearse` with the real hooks, and what the transcript says is the specification.
//!
//! Compared is what does not depend on the machine: what CodeDeploy, the alarms and the hooks said, in order. Times,
//! ports and ids are left out; requests are judged by the scenario's own `expect`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

use greenlight::stage::Stage;
use rehearsal::cloudformation::Template;
use rehearsal::iam::Role;
use rehearsal::outcome::Permissions;
use rehearsal::setup::{REPORT_FAILURE, function_name};
use serde_json::{Value, json};

#[path = "support/programs.rs"]
mod programs;

/// The one scenario where chance decides what a check says: whether green has been compared with blue when the alarm fires.
const WITHOUT_ONE_ROW: (&str, &str) = ("alarm-in-the-bake", "green-is-no-worse-than-blue");

/// Those that need a MariaDB.
const MARIADB: [&str; 2] = ["mariadb-migrations", "mariadb-migration-breaks-blue"];

/// What a scenario came to.
struct Played {
    transcript: String,
    /// What each hook's role had to allow.
    permissions: Permissions,
}

/// Plays one scenario, which must go as it expects; once, however many tests ask. `canary.ecs` is `canary` with ECS as the
/// engine.
fn played(name: &str) -> Arc<OnceLock<Played>> {
    static ALL: Mutex<BTreeMap<String, Arc<OnceLock<Played>>>> = Mutex::new(BTreeMap::new());
    let one = ALL.lock().unwrap().entry(name.to_owned()).or_default().clone();
    one.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let json = folder.path().join("outcome.json");
        let mut command = Command::new(programs::rehearse());
        match name.split_once('.') {
            Some((scenario, engine)) => command.args(["run", scenario, "--engine", engine]),
            None => command.args(["run", name]),
        };
        let output = command.arg("--json").arg(&json).output().unwrap();
        let transcript = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name} did not go as expected\n{transcript}\n{errors}");
        let outcome: Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
        Played { transcript, permissions: serde_json::from_value(outcome[0]["permissions"].clone()).unwrap() }
    });
    one
}

/// Plays one scenario and compares its spine with the committed transcript.
fn play(name: &str) {
    let played = played(name);
    let transcript = &played.get().unwrap().transcript;
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../scenarios/transcripts");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (pattern, stands_for) in VARIES {
        settings.add_filter(pattern, *stands_for);
    }
    let spine = match WITHOUT_ONE_ROW {
        (scenario, check) if scenario == name.trim_end_matches(".ecs") => without_row(&spine(transcript), check),
        _ => spine(transcript),
    };
    settings.bind(|| insta::assert_snapshot!(name, spine));
}

/// The report without the row of a check; how wide the others' names are set depends on it.
fn without_row(spine: &str, check: &str) -> String {
    let (mut kept, mut of_check) = (Vec::new(), false);
    for line in spine.lines() {
        let row = ["PASSED", "FAILED", "NOT YET", "CANNOT TELL"].iter().any(|word| line.starts_with(word));
        if row || line.is_empty() {
            of_check = line.split_whitespace().any(|word| word == check);
        }
        // It may be counted in the first line.
        let line = line.strip_suffix(" (and 1 more)").unwrap_or(line);
        if !of_check {
            kept.push(if row { line.split_whitespace().collect::<Vec<_>>().join(" ") } else { line.to_owned() });
        }
    }
    kept.join("\n")
}

/// What differs from run to run, and what stands for it.
const VARIES: &[(&str, &str)] = &[
    (r"d-[0-9A-Z]{9}\b", "d-…"),
    (r"\b[0-9a-f]{21}\b", "…"),
    (r"\(execution [0-9a-f-]{36}\)", "(execution …)"),
    (r"\b[0-9a-f]{32}\b", "…"),
    (r"ecs-svc/\d+", "ecs-svc/…"),
    (r"\btask [0-9a-f]{8}\b", "task …"),
    (r":\d{4,5}\b", ":…"),
    (r"\b\d+(\.\d+)? ?(ms|µs|s)\b", "… s"),
    (r"\b\d+ of \d+ requests", "… of … requests"),
    // Whether there were enough requests to compare depends on how fast this machine is.
    (
        r"(not compared: )?(green failed [^%]*\(0\.00 %\), blue failed [^%]*\(0\.00 %\)) since [a-z ]+(, fewer than \d+ requests each)?",
        "$2",
    ),
    (r"requests \((\d+\.\d\d) %\)", "requests (… %)"),
    (r"\b\d+ MiB", "… MiB"),
    (r"\[\d+\.\d+ \([^)]*\)", "[…"),
    (r"\(request [0-9a-f-]{36}\)", "(request …)"),
    (r"\b\d{4}-\d\d-\d\dT[0-9:.]+Z", "…"),
    // Where a long line is cut depends on the length of what stands before it. Its row below has it whole.
    (r"(?m)((?:STOP|GO)  [^\n]*?: [a-z-]+: )[^\n]*…( \(and \d+ more\))?$", "$1…$2"),
    (r"(?m)(\d+ requests passed on HTTPS? :…: )[^\n]{200,}…$", "$1…"),
];

/// The entries of CodeDeploy, the alarms, Lambda, the hooks and the rehearsal, and the closing lines; not those of tasks
/// and targets, whose order among each other is chance.
fn spine(transcript: &str) -> String {
    let mut kept = Vec::new();
    let mut keeps = true;
    for line in transcript.lines() {
        if line.starts_with("production requests") {
            // Which entry is the last before the table is chance, and with it whether the empty line was kept.
            while kept.pop_if(|last: &mut String| last.is_empty()).is_some() {}
            keeps = false;
        } else if line.starts_with("the deployment ") {
            keeps = true;
        } else if let Some((_, entry)) = entry(line) {
            // An alarm recovers when it does, and somebody else comes between two lines of CodeDeploy's.
            keeps = ["CodeDeploy", "deployment", "CloudWatch", "hook", "rehearsal"]
                .iter()
                .any(|who| entry.starts_with(who))
                && !["ALARM → OK", "somebody else"].iter().any(|words| entry.contains(words));
            if keeps {
                kept.push(entry.to_owned());
            }
            continue;
        }
        if keeps && !is_duration(line) {
            kept.push(line.trim_start().to_owned());
        }
    }
    asked_again_once(kept).join("\n")
}

/// How often a function of ECS's asks for more time depends on this machine: the first time is kept, and how it ends.
fn asked_again_once(lines: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for line in lines {
        if line.starts_with("deployment") && line.contains("answered IN_PROGRESS") {
            let of_cycle = |line: &&String| !["CloudWatch", "rehearsal"].iter().any(|who| line.starts_with(who));
            let since = kept.iter().rposition(|earlier| *earlier == line);
            if let Some(first) = since.filter(|first| kept[*first..].iter().all(|line| of_cycle(&line))) {
                kept.truncate(first);
            }
        }
        kept.push(line);
    }
    kept
}

/// Splits `    1:07  CodeDeploy  …` after the time.
fn entry(line: &str) -> Option<(&str, &str)> {
    let (time, entry) = line.trim_start().split_once("  ")?;
    let is_time = time.contains(':') && time.chars().all(|letter| letter.is_ascii_digit() || letter == ':');
    (is_time && line.starts_with(' ')).then_some((time, entry))
}

fn is_duration(line: &str) -> bool {
    line.strip_suffix(" s").is_some_and(|number| number.parse::<f64>().is_ok())
}

macro_rules! scenarios {
    ($($test:ident = $name:literal),+ $(,)?) => {
        $(#[test]
        fn $test() {
            play($name);
        })+

        const PLAYED: &[&str] = &[$($name),+];

        /// Every file in the folder must be among the tests.
        #[test]
        fn no_scenario_is_left_out() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|ending| ending == "yaml") {
                    let name = path.file_stem().unwrap().to_str().unwrap();
                    assert!(PLAYED.contains(&name) || MARIADB.contains(&name), "{name}.yaml is played by no test");
                }
            }
        }
    };
}

scenarios! {
    an_alarm_that_fires_already_stops_the_deployment_before_green_exists = "alarm-fires-already",
    the_fix_of_an_outage_goes_on_although_its_alarm_fires = "alarm-fires-and-the-fix-goes-on",
    all_of_production_moves_at_once = "all-at-once",
    the_app_spec_is_found_in_s3 = "app-spec-in-s3",
    the_app_spec_is_read_in_the_version_that_is_deployed = "app-spec-of-one-version",
    ecs_leaves_all_as_it_is_when_a_person_aborts = "ecs-aborted",
    an_alarm_in_the_bake_of_ecs_takes_users_back = "ecs-alarm-in-the-bake",
    an_answer_without_a_status_is_a_no_to_ecs = "ecs-answer-without-a-status",
    ecs_itself_shifts_and_asks_at_every_step = "ecs-canary",
    tasks_that_fail_again_and_again_trigger_the_circuit_breaker = "ecs-circuit-breaker",
    what_ecs_would_deploy_is_what_is_rehearsed = "ecs-environment",
    ecs_gives_up_a_function_that_is_never_done = "ecs-hook-is-never-done",
    a_no_before_a_step_leads_every_user_back = "ecs-linear-stopped-at-a-step",
    a_no_on_the_way_back_blocks_nothing = "ecs-no-on-the-way-back",
    a_person_lets_ecs_go_on_and_later_nobody_does = "ecs-person-approves",
    a_person_at_a_pause_has_it_rolled_back = "ecs-person-rolls-back",
    the_resilience_framework_harms_nobody = "ecs-resilience-framework",
    a_secret_of_the_same_service_in_another_cluster_is_not_read = "ecs-secret-of-another-cluster",
    the_target_groups_of_ecs_take_turns = "ecs-target-groups-take-turns",
    what_would_be_deployed_is_what_is_rehearsed = "the-environment",
    what_would_be_deployed_with_a_certificate_is_rehearsed_by_https = "the-environment-by-https",
    requests_bring_a_secret_that_nobody_sees = "requests-with-a-secret",
    secrets_of_other_names_are_used_where_their_tags_name_the_application = "secrets-are-tagged",
    a_secret_of_another_application_goes_nowhere = "secret-of-another-application",
    a_login_of_another_application_is_not_read = "login-of-another-application",
    nobody_logs_in_by_iam_at_another_applications_database = "iam-login-of-another-application",
    green_turns_bad_under_users_and_the_canary_bounds_the_loss = "bad-after-shift",
    a_good_canary_loses_nothing = "canary",
    a_database_is_found_by_its_identifier_in_rds = "database-by-its-cluster",
    a_role_logs_in_without_a_password = "database-by-iam",
    a_user_without_iam_authentication_is_not_let_in = "database-refuses-iam-user",
    a_full_database_is_found_out_before_green_is_started = "database-is-full",
    a_database_that_shows_a_wrong_certificate_gets_no_password = "database-is-not-trusted",
    without_a_plan_the_default_questions_are_asked = "default-questions",
    a_plan_that_asks_everything_lets_a_good_green_pass = "every-question",
    green_that_answers_otherwise_than_blue_never_gets_users = "green-answers-otherwise",
    green_that_cannot_take_the_load_never_gets_users = "green-cannot-take-the-load",
    green_that_fails_more_often_than_blue_is_taken_back = "green-is-worse-than-blue",
    green_that_reports_another_version_is_not_believed = "green-reports-another-version",
    a_request_that_fails_on_the_test_listener_stops_green = "green-breaks-under-test-traffic",
    green_in_one_zone_is_told_and_not_stopped = "green-in-one-zone",
    green_that_ends_at_once_never_gets_users = "green-crashes",
    green_that_never_becomes_healthy_is_stopped_by_its_alarm = "green-health-500",
    green_that_stops_again_and_again_is_quoted = "green-stops-again",
    a_health_check_that_takes_errors_for_healthy_is_refused = "health-check-takes-errors",
    an_answer_that_is_refused_is_printed_as_a_command = "hook-without-permission",
    an_answer_that_a_hook_may_not_give_is_given_in_its_place = "hook-cannot-answer",
    a_hook_that_is_killed_is_answered_for = "hook-is-killed",
    whoever_hears_of_a_dead_hook_second_does_not_override_the_answer = "hook-is-killed-by-event",
    an_image_with_findings_above_the_limit_is_not_started = "image-has-findings",
    an_image_that_was_never_pushed_is_not_waited_for = "image-is-missing",
    somebody_else_who_moves_the_alias_is_found_out = "lambda-alias-moved",
    a_function_that_fails_for_some_users_is_led_back_in_the_canary = "lambda-bad-after-shift",
    a_good_version_of_a_function_loses_nothing = "lambda-canary",
    a_version_that_fails_every_event_never_gets_users = "lambda-version-breaks",
    a_linear_shift_takes_ten_steps = "linear",
    a_migration_that_would_break_blue_is_not_applied = "migration-breaks-blue",
    a_contract_step_goes_through_with_a_reason_in_the_plan = "contract-step-is-allowed",
    a_wrong_migration_stops_the_deployment_and_keeps_what_was_right = "migration-fails",
    a_migration_that_waits_for_a_lock_keeps_nobody_waiting_for_long = "migration-waits-for-a-lock",
    migrations_are_read_from_a_bucket = "migrations-from-s3",
    the_teams_own_tool_migrates_in_a_task_of_its_own = "migrations-by-task",
    a_tool_that_fails_stops_the_deployment_and_is_quoted = "migration-task-fails",
    a_tool_that_never_ends_is_stopped_when_the_time_is_up = "migration-task-never-ends",
    without_automatic_rollback_a_person_must_act = "no-auto-rollback",
    a_rollback_by_hand_is_seen_and_not_stopped = "rollback-by-hand",
    hooks_of_a_rollback_say_yes_at_once = "rollback-calls-hooks",
    a_secret_that_does_not_exist_is_found_out_before_green_is_started = "secret-is-missing",
    a_task_definition_that_somebody_deregistered_is_not_waited_for = "green-is-deregistered",
    an_app_spec_that_names_another_container_is_refused = "app-spec-names-another-container",
    a_test_listener_that_leads_nowhere_is_found_before_green_is_started = "test-listener-is-taken",
    blue_that_is_ill_is_told_before_green_is_started = "blue-is-ill",
    green_of_another_revision_never_gets_users = "green-is-of-another-revision",
    a_listener_that_somebody_put_back_is_found_out = "production-is-put-back",
    what_cannot_be_looked_up_is_never_taken_for_well = "nobody-may-look",
    a_silent_hook_costs_an_hour_of_nobodys_time = "silent-hook",
    a_test_listener_that_leads_to_blue_tests_nothing = "test-listener-leads-to-blue",
    https_listeners_are_asked_with_the_services_own_name = "https-listeners",
    a_person_stops_the_canary = "stop-by-hand",
    an_alarm_in_the_bake_takes_users_back = "alarm-in-the-bake",
    an_application_of_ones_own_is_deployed_like_the_sample = "your-own-service",
}

/// The same scenarios with ECS as the engine; their transcripts stand beside those of CodeDeploy. Left out are those that are about
/// what only CodeDeploy has: AppSpec files, answers by an API call, a deployment group without rollback.
mod on_ecs {
    macro_rules! scenarios {
        ($($test:ident = $name:literal),+ $(,)?) => {
            $(#[test]
            fn $test() {
                super::play(concat!($name, ".ecs"));
            })+

            pub(super) const PLAYED: &[&str] = &[$(concat!($name, ".ecs")),+];
        };
    }

    scenarios! {
        an_alarm_that_fires_already_stops_the_deployment_before_green_exists = "alarm-fires-already",
        the_fix_of_an_outage_goes_on_although_its_alarm_fires = "alarm-fires-and-the-fix-goes-on",
        an_alarm_in_the_bake_takes_users_back = "alarm-in-the-bake",
        all_of_production_moves_at_once = "all-at-once",
        green_turns_bad_under_users_and_the_canary_bounds_the_loss = "bad-after-shift",
        blue_that_is_ill_is_told_before_green_is_started = "blue-is-ill",
        a_good_canary_loses_nothing = "canary",
        a_contract_step_goes_through_with_a_reason_in_the_plan = "contract-step-is-allowed",
        a_database_is_found_by_its_identifier_in_rds = "database-by-its-cluster",
        a_role_logs_in_without_a_password = "database-by-iam",
        a_full_database_is_found_out_before_green_is_started = "database-is-full",
        a_database_that_shows_a_wrong_certificate_gets_no_password = "database-is-not-trusted",
        a_user_without_iam_authentication_is_not_let_in = "database-refuses-iam-user",
        without_a_plan_the_default_questions_are_asked = "default-questions",
        a_plan_that_asks_everything_lets_a_good_green_pass = "every-question",
        green_that_answers_otherwise_than_blue_never_gets_users = "green-answers-otherwise",
        a_request_that_fails_on_the_test_listener_stops_green = "green-breaks-under-test-traffic",
        green_that_cannot_take_the_load_never_gets_users = "green-cannot-take-the-load",
        green_that_ends_at_once_never_gets_users = "green-crashes",
        green_that_never_becomes_healthy_is_stopped_by_its_alarm = "green-health-500",
        green_in_one_zone_is_told_and_not_stopped = "green-in-one-zone",
        green_that_fails_more_often_than_blue_is_taken_back = "green-is-worse-than-blue",
        green_that_reports_another_version_is_not_believed = "green-reports-another-version",
        a_health_check_that_takes_errors_for_healthy_is_refused = "health-check-takes-errors",
        https_listeners_are_asked_with_the_services_own_name = "https-listeners",
        an_image_with_findings_above_the_limit_is_not_started = "image-has-findings",
        an_image_that_was_never_pushed_is_not_waited_for = "image-is-missing",
        a_linear_shift_takes_ten_steps = "linear",
        a_migration_that_would_break_blue_is_not_applied = "migration-breaks-blue",
        a_wrong_migration_stops_the_deployment_and_keeps_what_was_right = "migration-fails",
        a_migration_that_waits_for_a_lock_keeps_nobody_waiting_for_long = "migration-waits-for-a-lock",
        a_tool_that_fails_stops_the_deployment_and_is_quoted = "migration-task-fails",
        the_teams_own_tool_migrates_in_a_task_of_its_own = "migrations-by-task",
        migrations_are_read_from_a_bucket = "migrations-from-s3",
        a_listener_that_somebody_put_back_is_found_out = "production-is-put-back",
        requests_bring_a_secret_that_nobody_sees = "requests-with-a-secret",
        a_rollback_by_hand_is_seen_and_not_stopped = "rollback-by-hand",
        a_secret_that_does_not_exist_is_found_out_before_green_is_started = "secret-is-missing",
        a_person_stops_the_canary = "stop-by-hand",
        a_test_listener_that_leads_nowhere_is_found_before_green_is_started = "test-listener-is-taken",
        a_test_listener_that_leads_to_blue_tests_nothing = "test-listener-leads-to-blue",
        an_application_of_ones_own_is_deployed_like_the_sample = "your-own-service",
    }
}

#[test]
fn hooks_are_found_where_sam_build_puts_them() {
    let folder = tempfile::tempdir().unwrap();
    let built = programs::rehearse().parent().unwrap();
    for stage in Stage::ALL {
        let of_hook = folder.path().join(stage.event_name());
        std::fs::create_dir(&of_hook).unwrap();
        std::os::unix::fs::symlink(built.join(stage.hook_name()), of_hook.join("bootstrap")).unwrap();
    }
    let stand_in = folder.path().join("ReportFailure");
    std::fs::create_dir(&stand_in).unwrap();
    std::os::unix::fs::symlink(built.join("report-failure"), stand_in.join("bootstrap")).unwrap();
    let mut command = Command::new(programs::rehearse());
    let output = command.args(["run", "all-at-once", "--artifacts"]).arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// The hooks, by the name that their functions end with; what holds for all of them names none.
type Hooks = &'static [&'static str];

/// What is granted to these although no scenario needs it, and why.
const GRANTED_ANYWAY: &[(&str, Hooks, &str)] = &[
    ("logs:CreateLogStream", &[], "Lambda itself writes the function's log with the function's role"),
    ("logs:PutLogEvents", &[], "as above"),
    ("sqs:SendMessage", &[], "Lambda itself keeps the event of a function that died, with the function's role"),
    ("sqs:DeleteMessage", &["report-failure"], "Lambda itself feeds it from the queue, with the function's role"),
    ("sqs:GetQueueAttributes", &["report-failure"], "as above"),
    ("sqs:ReceiveMessage", &["report-failure"], "as above"),
    ("ec2:AssignPrivateIpAddresses", &[], "Lambda itself connects a function to a VPC with the function's role"),
    ("ec2:CreateNetworkInterface", &[], "as above"),
    ("ec2:DeleteNetworkInterface", &[], "as above"),
    ("ec2:DescribeNetworkInterfaces", &[], "as above"),
    ("ec2:DescribeSubnets", &[], "as above"),
    ("ec2:UnassignPrivateIpAddresses", &[], "as above"),
    (
        "lambda:InvokeFunction",
        &["after-allow-traffic"],
        "it calls itself when a bake outlasts a quarter of an hour; before-allow-traffic does in a scenario",
    ),
];

/// What is granted on a whole type of resources, and why no parameter says on which of them.
const WHOLE_TYPES_ANYWAY: &[(&str, &str)] = &[
    ("cloudwatch:DescribeAlarms", "reads states; which alarms a group watches, its owner says"),
    ("ecr:DescribeImages", "reads no image; which repository a version is from, its task definition says"),
    ("ecr:DescribeImageScanFindings", "as above"),
    (
        "ecs:RunTask",
        "a version has a revision of its own; the condition on the cluster binds it, and PassRole the roles",
    ),
    ("lambda:GetAlias", "reads where an alias leads; which function is deployed, its AppSpec says"),
    ("secretsmanager:DescribeSecret", "reads no value: who may use a secret says its tag"),
];

/// Where there is no MariaDB they are left out, which `make test` says.
#[cfg(feature = "mariadb")]
#[test]
fn migrations_of_mariadb_are_applied_and_judged() {
    MARIADB.into_iter().for_each(play);
}

/// Granted on everything although it knows resources, and why.
const EVERYWHERE_ANYWAY: &[(&str, &str)] = &[];

/// The rehearsal refuses what the template's roles do not allow, so the scenarios show that they allow enough. They must not
/// allow more.
#[test]
fn a_role_allows_what_its_hook_needs_in_the_scenarios_and_no_more() {
    let mut needed = Permissions::new();
    for name in PLAYED.iter().chain(on_ecs::PLAYED) {
        for (function, actions) in &played(name).get().unwrap().permissions {
            for (action, resources) in actions {
                needed
                    .entry(function.clone())
                    .or_default()
                    .entry(action.clone())
                    .or_default()
                    .extend(resources.clone());
            }
        }
    }
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml")).unwrap();
    let stack = Template::parse(&text, "template.yaml").unwrap().with(&with_every_condition()).unwrap();
    let nothing = BTreeMap::new();
    let mut wrong = Vec::new();
    let hooks = Stage::ALL.map(|stage| (format!("{stage}Role"), function_name(stage)));
    for (role, function) in hooks.into_iter().chain([("ReportFailureRole".to_owned(), REPORT_FAILURE.to_owned())]) {
        let needed = needed.get(&function).unwrap_or(&nothing);
        let role = Role::of(&stack, &role).unwrap();
        let excused = |list: &[(&str, &str)], action: &str| list.iter().any(|(excused, _)| *excused == action);
        let anyway = |action: &str| {
            let of_function = |hooks: Hooks| hooks.is_empty() || hooks.iter().any(|hook| function.ends_with(hook));
            GRANTED_ANYWAY.iter().any(|(excused, hooks, _)| *excused == action && of_function(hooks))
        };
        for action in role.granted() {
            if !needed.contains_key(action) && !anyway(action) {
                wrong.push(format!("{function}: {action} is granted, and no scenario needs it"));
            }
        }
        for action in role.granted_everywhere() {
            let everything = BTreeSet::from(["*".to_owned()]);
            let narrower = needed.get(action).is_some_and(|resources| *resources != everything);
            if narrower && !excused(EVERYWHERE_ANYWAY, action) {
                wrong
                    .push(format!("{function}: {action} is granted on everything, and needed on {:?}", needed[action]));
            }
        }
    }
    let whole = |role: &Role| {
        role.granted_on_a_whole_type()
            .into_iter()
            .map(|(action, on)| (action.to_owned(), on.to_owned()))
            .collect::<Vec<_>>()
    };
    let roles = stack.resources.iter().filter(|(_, resource)| resource.kind == "AWS::IAM::Role");
    let mut excuses: BTreeSet<&str> = WHOLE_TYPES_ANYWAY.iter().map(|(action, _)| *action).collect();
    for (name, _) in roles {
        for (action, on) in whole(&Role::of(&stack, name).unwrap()) {
            excuses.remove(action.as_str());
            if !WHOLE_TYPES_ANYWAY.iter().any(|(excused, _)| *excused == action) {
                wrong.push(format!("{name}: {action} is granted on {on}, whatever the parameters say"));
            }
        }
    }
    wrong.extend(excuses.into_iter().map(|action| format!("{action} is excused, and granted on no whole type")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Parameters with which every statement of the template is in the stack.
fn with_every_condition() -> BTreeMap<&'static str, Value> {
    BTreeMap::from([
        ("Application", json!("orders")),
        ("Cluster", json!("shop")),
        ("Database", json!("orders")),
        ("DatabaseSecret", json!("arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/migrator-abcdef")),
        ("DatabaseUser", json!("db-ABCDEF/migrator")),
        ("LogGroup", json!("/ecs/orders")),
        ("FunctionsToInvoke", json!("arn:aws:lambda:eu-west-1:123456789012:function:orders:*")),
        ("MigrationsBucket", json!("shop-migrations")),
        ("MigrationTaskRoles", json!("arn:aws:iam::123456789012:role/orders-task")),
        ("RequestSecrets", json!("arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/token-abcdef")),
        ("RevisionBucket", json!("revisions")),
        ("SecurityGroupIds", json!("sg-0")),
        ("SubnetIds", json!("subnet-0")),
    ])
}

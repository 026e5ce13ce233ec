//! What is in the way on this machine is said in one line, with the last output of what did not start.

use std::net::{Ipv4Addr, TcpListener};

use crate::workshop::{SMALL, Said, Workshop};

/// Runs the small scenario with another command.
fn with_command(command: &str) -> Said {
    let workshop = Workshop::new();
    workshop.write("mine.yaml", SMALL.replace("python3 -u shop.py", &format!("\"{command}\"")));
    let said = workshop.rehearse(&["run", "mine.yaml"]);
    workshop.is_cleared_up();
    assert_eq!(said.code, Some(1), "{said:?}");
    said
}

#[test]
fn a_command_that_exits_at_once_is_said_with_its_last_output() {
    let said = with_command("echo no config here >&2; exit 3");
    let error = said.one_line_error();
    assert!(error.starts_with("mine: blue does not serve: `echo no config here >&2; exit 3` ended before"), "{error}");
    assert!(error.ends_with("($PORT): exit status 3; its last output: no config here"), "{error}");
}

#[test]
fn a_command_that_is_not_found_is_said_by_name() {
    let said = with_command("no-such-program --port 1");
    let error = said.one_line_error();
    assert!(error.contains("`no-such-program --port 1`") && error.contains("not found"), "{error}");
}

#[test]
fn a_service_that_never_becomes_healthy_is_said_with_its_health_check() {
    let said = with_command("python3 -u -m http.server --bind 127.0.0.1 $PORT");
    let error = said.one_line_error();
    assert!(error.contains("its health check, GET /health, was not answered 200; its last output: "), "{error}");
    assert!(error.contains("404"), "{error}");
}

#[test]
fn a_scenario_that_cannot_be_played_does_not_keep_the_next_from_it() {
    let workshop = Workshop::new();
    workshop.write("broken.yaml", SMALL.replace("python3 -u shop.py", "exit 3"));
    let said = workshop.rehearse(&["run", "broken.yaml", "small.yaml", "--json", "outcome.json", "--summary", "it.md"]);
    assert_eq!(said.code, Some(1));
    assert!(said.one_line_error().starts_with("broken: blue does not serve"), "{said:?}");
    assert!(said.out.ends_with("2 scenarios, 0 not as expected, 1 not played\n"), "{}", said.out);
    let outcome = std::fs::read_to_string(workshop.path().join("outcome.json")).expect("it was asked for");
    assert!(outcome.contains("\"scenario\": \"small\"") && outcome.contains("\"Succeeded\""), "{outcome}");
    let summary = std::fs::read_to_string(workshop.path().join("it.md")).expect("it was asked for");
    for line in [
        "### <code>small</code> by CodeDeploy: played",
        "- the deployment **Succeeded**",
        "### broken: NOT played, its log says why",
    ] {
        assert!(summary.lines().any(|it| it == line), "{summary}");
    }
    workshop.is_cleared_up();
}

#[test]
fn a_file_that_cannot_be_written_is_said_before_anything_starts() {
    let workshop = Workshop::new();
    let said = workshop.rehearse(&["run", "small.yaml", "--json", "nowhere/outcome.json"]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    assert!(said.one_line_error().starts_with("nowhere/outcome.json cannot be written"), "{said:?}");
    let said = workshop.rehearse(&["run", "small.yaml", "--summary", "nowhere/outcome.md"]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    assert!(said.one_line_error().starts_with("nowhere/outcome.md cannot be written"), "{said:?}");
}

#[test]
fn a_port_in_use_is_said_by_number() {
    let workshop = Workshop::new();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = taken.local_addr().expect("it has an address").port().to_string();
    let said = workshop.rehearse(&["serve", "small.yaml", "--port", &port]);
    assert_eq!(said.code, Some(1));
    assert!(said.one_line_error().contains(&format!("cannot listen on 127.0.0.1:{port}")), "{said:?}");
    workshop.is_cleared_up();
}

#[test]
fn a_missing_postgresql_is_said_with_the_variable_that_names_it() {
    let workshop = Workshop::new();
    workshop.write("mine.yaml", SMALL.replace("database: false, ", ""));
    let nowhere = workshop.path().join("nowhere");
    let said = workshop
        .start_with(&["run", "mine.yaml"], |command| {
            command.env("GREENLIGHT_POSTGRES", &nowhere);
        })
        .ends();
    assert_eq!(said.code, Some(1));
    assert!(said.one_line_error().contains(&format!("GREENLIGHT_POSTGRES is {}", nowhere.display())), "{said:?}");
    workshop.is_cleared_up();
}

#[test]
fn missing_hooks_are_said_by_name_but_only_those_that_are_called() {
    let workshop = Workshop::new();
    let nowhere = workshop.path().join("nowhere");
    let artifacts = nowhere.display().to_string();
    workshop.write("mine.yaml", SMALL.replace("after_install: { none: true }", "after_install: {}"));
    let said = workshop.rehearse(&["run", "mine.yaml", "--artifacts", &artifacts]);
    assert_eq!(said.code, Some(1));
    assert_eq!(
        said.one_line_error(),
        format!("after-install, report-failure are not in {artifacts}; `make rehearse` builds everything")
    );
    workshop.is_cleared_up();
}

#[test]
fn a_hook_that_does_not_start_is_in_the_transcript_with_its_last_output() {
    for (command, says) in
        [("no-such-hook", "not found"), ("echo no role >&2; exit 9", "exit status 9; its last output: no role")]
    {
        let workshop = Workshop::new();
        let hook = format!("before_install: {{ command: \"{command}\" }}");
        workshop.write("mine.yaml", SMALL.replace("before_install: { none: true }", &hook));
        let said = workshop.rehearse(&["run", "mine.yaml"]);
        assert!(said.out.contains(says), "{}", said.out);
        assert!(said.out.contains("The BeforeInstall hook did not answer within 1 hour"), "{}", said.out);
        workshop.is_cleared_up();
    }
}

//! A slice of the soak: the hooks stay right, warm and small. `make soak` deploys hundreds of times.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::process::{Command, Output};

#[path = "support/programs.rs"]
mod programs;

fn soak(arguments: &[&str]) -> (Output, String) {
    let output = Command::new(programs::rehearse()).arg("soak").args(arguments).output().unwrap();
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    (output, said)
}

#[test]
fn warm_hooks_stay_right_and_small_and_nothing_is_left() {
    let (output, said) = soak(&["--deployments", "5", "--services", "3"]);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("one after the other: 5 deployments, 0 wrong; 31 answers, 0 wrong; processes: "), "{said}");
    assert!(said.contains("3 services at once: 3 deployments, 0 wrong; 16 answers, 0 wrong; processes: "), "{said}");
    assert!(said.contains("left: 0 processes; "), "{said}");
}

#[test]
fn a_hook_that_keeps_memory_and_files_of_every_event_is_found() {
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/soak/leaking.yaml");
    let (output, said) = soak(&["--deployments", "5", "--services", "1", "--scenario", scenario.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("5 deployments, 0 wrong"), "{said}");
    assert!(said.contains("wrong: the memory of CodeDeployHook_greenlight-after-install has grown from "), "{said}");
    assert!(said.contains("wrong: CodeDeployHook_greenlight-after-install has "), "{said}");
    assert!(said.ends_with("2 things are wrong\n"), "{said}");
}

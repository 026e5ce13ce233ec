//! A slice of the matrix: every hook, disturbed in some hundred ways, is answered for. `make matrix` tries all of them.

use std::process::Command;

#[path = "support/programs.rs"]
mod programs;

#[test]
fn no_hook_is_silent_whatever_breaks() {
    // Another slice than a round number would give: calls come in groups of as many as there are faults.
    let arguments = ["matrix", "--slice", "37", "--pairs", "150", "--at-once", "6"];
    let output = Command::new(programs::rehearse()).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let total = said.lines().rev().find(|line| line.contains(" cells, ")).unwrap();
    let cells: usize = total.split(' ').next().unwrap().parse().unwrap();
    assert!(cells > 100, "{total}");
    assert!(total.contains(" cells, 0 silent, 0 wrong, "), "{said}");
}

#[test]
fn a_panic_anywhere_in_a_hook_is_answered_for() {
    let arguments = ["matrix", "--hooks", "after-install", "--only", "a panic in", "--pairs", "0", "--verbose"];
    let output = Command::new(programs::rehearse()).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for place in ["check", "question", "checks", "planned-checks", "discovery", "report"] {
        assert!(said.contains(&format!("  stopped  a panic in the {place}\n")), "{said}");
    }
    // The answer had been decided when it panicked, and report-failure delivers it.
    assert!(said.contains("  went on  a panic in the answer\n"), "{said}");
    assert!(said.contains("7 cells, 0 silent, 0 wrong, "), "{said}");
}

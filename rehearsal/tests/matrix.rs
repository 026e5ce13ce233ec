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

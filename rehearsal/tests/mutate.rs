//! `rehearse mutate`: every way to break green is noticed by the full plan, and one that nobody asks about is told.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::{Command, Output};

use serde_json::Value;

#[path = "support/programs.rs"]
mod programs;

/// What `rehearse mutate` says, and its JSON.
fn mutate(arguments: &[&str]) -> (Output, Value) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mutants.json");
    let output =
        Command::new(programs::rehearse()).arg("mutate").args(arguments).arg("--json").arg(&file).output().unwrap();
    let json =
        std::fs::read_to_string(&file).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    (output, json)
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_full_plan_notices_every_mutant() {
    let (output, json) = mutate(&[]);
    let told = told(&output);
    assert!(output.status.success(), "{told}");
    let mutants = json["mutants"].as_array().unwrap();
    assert!(mutants.len() >= 12, "{told}");
    assert_eq!((json["caught"].as_u64(), json["survived"].as_u64()), (Some(mutants.len() as u64), Some(0)), "{told}");
    let caught = |name: &str| {
        let mutant = mutants.iter().find(|mutant| mutant["name"] == name).unwrap();
        let by: Vec<&str> = mutant["catches"].as_array().unwrap().iter().map(|it| it["by"].as_str().unwrap()).collect();
        assert!(mutant["catches"][0]["evidence"].as_str().is_some_and(|it| !it.is_empty()), "{mutant}");
        (
            mutant["verdict"].as_str().unwrap(),
            mutant["at"].as_str().unwrap(),
            by.contains(&"green-answers"),
            by.contains(&"requests-pass"),
        )
    };
    let at = "AfterAllowTestTraffic";
    assert_eq!(caught("old-version").1, at);
    assert!(caught("old-version").2 && caught("leaks-blue").2, "{told}");
    for name in ["500-on-one-path", "empty-body", "html-not-json", "field-missing", "field-renamed", "numbers-as-text"]
    {
        let (verdict, event, _, requests) = caught(name);
        assert_eq!((verdict, event, requests), ("caught", at, true), "{name}: {told}");
    }
    assert_eq!(caught("health-500").0, "caught", "{told}");
}

/// With the default questions nobody looks at what is in an answer.
#[test]
fn a_survivor_is_told_and_is_no_success() {
    let (output, json) = mutate(&["default-questions", "--only", "field-missing,exits-at-start"]);
    let told = told(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("not caught: field-missing"), "{told}");
    assert_eq!(json["survived"], 1, "{told}");
}

/// The application is a program of the user's own, its plan as well.
#[test]
fn any_command_can_be_broken() {
    let (output, json) = mutate(&["your-own-service", "--only", "500-on-one-path,crashes,old-version"]);
    let told = told(&output);
    let verdicts: Vec<&Value> = json["mutants"].as_array().unwrap().iter().map(|mutant| &mutant["verdict"]).collect();
    assert_eq!(verdicts.len(), 3, "{told}");
    assert_eq!(json["mutants"][2]["name"], "500-on-one-path");
    assert_eq!(json["mutants"][2]["verdict"], "caught", "{told}");
}

#[test]
fn what_is_typed_wrong_is_said_before_anything_starts() {
    let output = Command::new(programs::rehearse()).args(["mutate", "--only", "slwo"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("unknown mutant `slwo`"), "{}", told(&output));
    assert!(told(&output).contains("did you mean `slow`?"), "{}", told(&output));
}

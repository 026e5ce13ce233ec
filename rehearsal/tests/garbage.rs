//! Whatever people and machines make of a document: it is read, or refused with its place, and nothing breaks.

use std::path::{Path, PathBuf};

use greenlight::appspec::AnyAppSpec;
use greenlight::document;
use greenlight::plan::Plan;
use rehearsal::cloudformation::Template;
use rehearsal::scenario::Scenario;

#[path = "../../lint/corpus/spoiled.rs"]
mod spoiled;

use spoiled::{Drawn, spoiled};

/// The texts of every document in this folder and those below it.
fn texts(folder: &Path, endings: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            found.extend(texts(&path, endings));
        } else if path.extension().is_some_and(|ending| endings.iter().any(|it| ending == *it)) {
            found.push(std::fs::read_to_string(&path).expect("a text"));
        }
    }
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Feeds a reader with so many spoiled texts. Its refusal names the file, and a line that the text has.
fn feed<T, E: ToString>(seed: u64, times: usize, texts: &[String], read: impl Fn(&str) -> Result<T, E>) {
    let mut drawn = Drawn(seed);
    let mut refused = 0;
    for _ in 0..times {
        let text = spoiled(&mut drawn, texts);
        if let Err(error) = read(&text) {
            refused += 1;
            let said = error.to_string();
            let line = said.strip_prefix("it.yaml:").and_then(|rest| rest.split(':').next()?.parse::<usize>().ok());
            assert!(line.is_some_and(|line| line <= text.lines().count() + 1), "{said}\nin\n{text}");
        }
    }
    assert!(refused > times / 10, "only {refused} of {times} were spoiled");
}

#[test]
fn spoiled_plans_are_refused_with_their_place() {
    let plans = texts(&root().join("rehearsal/scenarios/plans"), &["yaml"]);
    feed(1, 1_500, &plans, |text| Plan::parse(text, "it.yaml"));
}

#[test]
fn spoiled_app_specs_are_refused_with_their_place() {
    let app_specs = texts(&root().join("appspec"), &["yaml", "json"]);
    feed(2, 1_500, &app_specs, |text| AnyAppSpec::parse(text, "it.yaml"));
}

#[test]
fn spoiled_scenarios_are_refused_with_their_place() {
    let scenarios = texts(&root().join("rehearsal/scenarios"), &["yaml"]);
    feed(3, 1_000, &scenarios, |text| document::parse::<Scenario>(text, "it.yaml"));
}

#[test]
fn spoiled_templates_are_refused_or_understood() {
    let templates = texts(&root().join("environment"), &["yaml"]);
    let mut drawn = Drawn(4);
    for _ in 0..200 {
        let text = spoiled(&mut drawn, &templates);
        if let Ok(template) = Template::parse(&text, "it.yaml") {
            let _ = template.sketched();
        }
    }
}

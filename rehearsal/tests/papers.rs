//! What the papers show can be read: a newcomer copies it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};

use greenlight::appspec::AppSpec;
use greenlight::document;
use greenlight::plan::Plan;
use rehearsal::scenario::Scenario;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The YAML blocks of a page.
fn blocks(page: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(page)).unwrap();
    text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_scenario_and_the_plan_of_the_readme_are_sound() {
    let blocks = blocks("README.md");
    let [scenario, plan] = blocks.as_slice() else { panic!("the README shows one scenario and one plan") };
    document::parse::<Scenario>(scenario, "README.md").unwrap_or_else(|error| panic!("{error}"));
    Plan::parse(plan, "README.md").unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_app_specs_to_copy_are_read_as_codedeploy_reads_them() {
    let mut read = Vec::new();
    for entry in std::fs::read_dir(root().join("appspec")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        match AppSpec::parse(&text, &name) {
            Ok(spec) => {
                let events: Vec<&str> = spec.hooks.iter().map(|(event, _)| event.as_str()).collect();
                let all: Vec<&str> = greenlight::stage::Stage::ALL.iter().map(|stage| stage.event_name()).collect();
                assert_eq!(events, all, "{name} names all five hooks");
                read.push(name);
            }
            Err(error) => {
                let message = error.to_string();
                assert!(name.starts_with("lambda") && message.contains("AWS::Lambda::Function"), "{message}");
            }
        }
    }
    assert_eq!(read.len(), 3, "canary, linear, all at once: {read:?}");
}

#[test]
fn every_page_that_the_readme_names_exists() {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    for link in text.split("](").skip(1) {
        let target = link.split(')').next().unwrap();
        assert!(target.contains("://") || root().join(target).exists(), "the README names {target}");
    }
}

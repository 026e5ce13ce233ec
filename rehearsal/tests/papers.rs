//! What the papers show can be read: a newcomer copies it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};

use greenlight::appspec::AnyAppSpec;
use greenlight::document;
use greenlight::plan::Plan;
use greenlight::stage::Stage;
use rehearsal::scenario::Scenario;
use rehearsal::world::deployments::Platform;

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
fn the_reference_names_every_key_of_a_scenario_and_its_defaults() {
    let blocks = blocks("docs/rehearsal.md");
    let [scenario] = blocks.as_slice() else { panic!("the reference shows one scenario") };
    let shown = document::parse::<Scenario>(scenario, "docs/rehearsal.md").unwrap_or_else(|error| panic!("{error}"));
    let usual = document::parse::<Scenario>("story: nothing said\n", "nothing said").unwrap();
    // A value that is no default is shown for keys that are usually missing.
    let shown_service = [&shown.service.name, &shown.service.cluster, &shown.service.port_variable];
    assert_eq!(shown_service, [&usual.service.name, &usual.service.cluster, &usual.service.port_variable]);
    assert_eq!(shown.service.desired_count, usual.service.desired_count);
    assert_eq!(shown.service.deregistration_delay, usual.service.deregistration_delay);
    assert_eq!(shown.service.health_check_grace_period, usual.service.health_check_grace_period);
    let check = |it: &Scenario| {
        let check = &it.service.health_check;
        (check.path.clone(), check.interval, check.timeout.value, check.healthy, check.unhealthy, check.matcher.clone())
    };
    assert_eq!(check(&shown), check(&usual));
    assert_eq!(shown.deployment.config(Platform::Ecs), usual.deployment.config(Platform::Ecs));
    assert_eq!(shown.deployment.rollback_events(), usual.deployment.rollback_events());
    assert_eq!(shown.deployment.app_spec, usual.deployment.app_spec);
    assert_eq!(shown.traffic.rate, usual.traffic.rate);
    assert_eq!(format!("{:?}", shown.switches.switches()), format!("{:?}", usual.switches.switches()));
    // Every key of every section: the message for a wrong one lists them.
    for section in [
        "",
        "service",
        "service.health_check",
        "function",
        "blue",
        "deployment",
        "on_ecs",
        "traffic",
        "switches",
        "expect",
    ] {
        let mut wrong = "story: a wrong key\n".to_owned();
        for (depth, key) in section.split('.').filter(|key| !key.is_empty()).enumerate() {
            wrong.push_str(&format!("{}{key}:\n", "  ".repeat(depth)));
        }
        wrong.push_str(&format!("{}zzzzzz: 1\n", "  ".repeat(section.split('.').filter(|it| !it.is_empty()).count())));
        let message = document::parse::<Scenario>(&wrong, "wrong").unwrap_err().to_string();
        let known: Vec<&str> = message.split('`').skip(3).step_by(2).collect();
        assert!(known.len() > 1, "no keys in: {message}");
        for key in known {
            assert!(scenario.contains(&format!("{key}:")), "docs/rehearsal.md does not show {section}.{key}");
        }
    }
}

#[test]
fn the_app_specs_to_copy_are_read_as_codedeploy_reads_them() {
    let mut read = Vec::new();
    for entry in std::fs::read_dir(root().join("appspec")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let spec = AnyAppSpec::parse(&text, &name).expect(&name);
        let stages = match &spec {
            AnyAppSpec::Service(_) => Stage::ALL.to_vec(),
            AnyAppSpec::Function(_) => Stage::OF_FUNCTIONS.to_vec(),
        };
        let events: Vec<&str> = spec.hooks().iter().map(|(event, _)| event.as_str()).collect();
        let all: Vec<&str> = stages.into_iter().map(Stage::event_name).collect();
        assert_eq!(events, all, "{name} names all hooks of its platform");
        read.push(name);
    }
    assert_eq!(read.len(), 4, "canary, linear, all at once, and a function: {read:?}");
}

#[test]
fn every_page_that_the_readme_names_exists() {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    for link in text.split("](").skip(1) {
        let target = link.split(')').next().unwrap();
        assert!(target.contains("://") || root().join(target).exists(), "the README names {target}");
    }
}

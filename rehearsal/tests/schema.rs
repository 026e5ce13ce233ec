//! The JSON Schemas that editors use are current, take what is right, and refuse what is wrong.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};

use greenlight::plan::Plan;
use jsonschema::Validator;
use rehearsal::scenario::Scenario;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn validator(schema: &Value) -> Validator {
    jsonschema::validator_for(schema).unwrap_or_else(|error| panic!("{error}"))
}

/// Compared with what is committed; `UPDATE_SCHEMAS=1` writes it.
#[test]
fn the_committed_schemas_are_current() {
    for (file, schema) in [("docs/plan.schema.json", Plan::schema()), ("docs/scenario.schema.json", Scenario::schema())]
    {
        let path = root().join(file);
        let text = format!("{schema:#}\n");
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == text, "{file} is not current: run this test with UPDATE_SCHEMAS=1");
    }
}

fn files(folder: &str) -> Vec<(String, Value)> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let yaml = entries.filter(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    let read = yaml.map(|path| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path.display().to_string(), serde_saphyr::from_str(&text).unwrap())
    });
    read.collect()
}

#[test]
fn every_plan_and_scenario_of_the_repository_is_valid() {
    let of_plans = validator(&Plan::schema());
    let mut plans = files("rehearsal/scenarios/plans");
    plans.extend(files("rehearsal/scenarios/your-own-service"));
    let page = std::fs::read_to_string(root().join("docs/plan.md")).unwrap();
    let samples = page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    plans.extend(samples.map(|sample| ("docs/plan.md".to_owned(), serde_saphyr::from_str(sample).unwrap())));
    assert!(plans.len() > 3, "{} plans", plans.len());
    let scenarios = files("rehearsal/scenarios");
    assert!(scenarios.len() > 20, "{} scenarios", scenarios.len());
    let of_scenarios = validator(&Scenario::schema());
    let plans = plans.iter().map(|it| (&of_plans, it));
    for (validator, (file, document)) in plans.chain(scenarios.iter().map(|it| (&of_scenarios, it))) {
        let wrong: Vec<String> = validator.iter_errors(document).map(|error| format!("{error}")).collect();
        assert!(wrong.is_empty(), "{file}: {}", wrong.join("; "));
    }
}

/// An editor and the hooks must not disagree about what is plainly wrong.
#[test]
fn what_the_hooks_refuse_by_form_the_schema_refuses_too() {
    let validator = validator(&Plan::schema());
    let wrong = [
        "checks: {}",
        "version: 2",
        "version: 1\nchek: {}",
        "version: 1\nchecks: { alarms-are-quite: advisory }",
        "version: 1\nchecks: { alarms-are-quiet: advise }",
        "version: 1\nproduction: { bake: 180 }",
        "version: 1\nproduction: { bake: 3 minutes }",
        "version: 1\ntest_traffic: { requests: [{ get: /a, expcet: {} }] }",
        "version: 1\ntest_traffic: { requests: [{ get: /a, expect: { status: ok } }] }",
        "version: 1\ntest_traffic: { load: { rate: 50, for: 10s, expect: { p99: 300ms } } }",
        "version: 1\ntest_traffic: { green: { json: version, equals: \"1\" } }",
    ];
    for text in wrong {
        assert!(Plan::parse(text, "plan").is_err(), "the hooks take {text}");
        assert!(!validator.is_valid(&serde_saphyr::from_str(text).unwrap()), "the schema takes {text}");
    }
    assert!(validator.is_valid(&serde_saphyr::from_str("version: 1").unwrap()));
}

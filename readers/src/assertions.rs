//! What a plan says of a response: paths into JSON, patterns, texts with variables; one on a line.

use greenlight::plan::{JsonPath, JsonPattern, Pattern, Template, Values, filled};
use serde_json::{Value, json};

use crate::documents;

pub(crate) fn read(bytes: &[u8]) {
    let body = documents::text(bytes);
    let answer = serde_json::from_slice(bytes)
        .unwrap_or_else(|_| json!({ "status": "ready", "items": [{ "id": 7, "full name": "x" }, body] }));
    filled(&answer, &Values::default());
    for line in body.lines() {
        path(line, &answer);
        template(line);
        if let Ok(pattern) = Pattern::parse(line) {
            assert_eq!(pattern.to_string(), line);
            pattern.is_found_in(&body);
        }
    }
}

fn path(text: &str, answer: &Value) {
    let pattern = JsonPattern::parse(text);
    match JsonPath::parse(text) {
        Ok(path) => {
            assert_eq!(path.to_string(), text);
            path.find(answer);
            if let Ok(pattern) = &pattern {
                assert!(pattern.covers(&path), "{text} is no place of its own");
            }
        }
        Err(why) => assert!(!why.is_empty(), "it says why"),
    }
    if let Ok(pattern) = pattern {
        let own = pattern.covers(&JsonPath::root());
        assert!(!own || text == "$", "{text} is the whole answer");
    }
}

fn template(text: &str) {
    let Ok(template) = Template::parse(text) else { return };
    assert_eq!(template.to_string(), text);
    assert!(Template::percent_encoded(text).bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
    let mut values = Values::default();
    for name in template.variables() {
        values.set(name, "../?".into());
    }
    if template.variables().next().is_none() {
        assert_eq!(template.fill(&values), text.replace("$${", "${"), "nothing is filled in");
    }
    let plain: usize = template.fill(&Values::default()).matches("../?").count();
    assert_eq!(template.fill_path(&values).matches("../?").count(), plain, "{text}: a value leads elsewhere");
}

//! The plan, and what its requests make of an answer.

use greenlight::Plan;
use greenlight::plan::{Request, Values};
use serde_json::json;

use crate::documents::{self, SOURCE};

pub(crate) fn read(bytes: &[u8]) {
    let text = documents::text(bytes);
    let Some(plan) = documents::read(&text, |text| Plan::parse(text, SOURCE)) else { return };
    let again = Plan::parse(&text, SOURCE).expect("it was read a moment ago");
    assert!(plan == again, "the same text is another plan");
    let requests = [&plan.test_traffic.requests, &plan.production.requests];
    requests.into_iter().flatten().flatten().for_each(judges_any_answer);
}

fn judges_any_answer(request: &Request) {
    let values = Values::default();
    assert!(request.path.to_string().starts_with(['/', '$']), "{}", request.path);
    assert!(request.attempts >= 1 && request.in_a_row >= 1, "{}", request.name);
    request.path.fill_path(&values);
    request.variables();
    let answer = json!({ "status": "ready", "count": 3, "items": [{ "id": "A1" }, null] });
    for (path, assertion) in &request.expect.json {
        assertion.holds(path.find(&answer), &values);
        assertion.wanted(&values);
    }
    for (_, assertion) in &request.expect.headers {
        assertion.holds_for_text(Some("text/html"), &values);
        assertion.holds_for_text(None, &values);
    }
}

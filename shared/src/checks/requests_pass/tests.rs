use std::time::Duration;

use insta::assert_snapshot;

use super::RequestsPass;
use crate::check::{Check, CheckContext};
use crate::checks::told::told;
use crate::deployment::Deployment;
use crate::fakes::{Fakes, GREEN_GROUP, answer, deployment, forward};
use crate::plan::Plan;
use crate::ports::{ProbeError, ProbeResponse};
use crate::stage::Stage;

fn plan(requests: &str) -> Plan {
    Plan::parse(&format!("version: 1\ntest_traffic:\n  requests:\n{requests}"), "plan.yaml").expect("a plan")
}

fn context(fakes: &Fakes) -> CheckContext {
    fakes.context(Stage::AfterAllowTestTraffic)
}

async fn row(fakes: &Fakes, requests: &str) -> String {
    told(&RequestsPass::on_test(&plan(requests)), &context(fakes)).await
}

fn from_load_balancer(status: u16) -> ProbeResponse {
    let mut response = answer(status, "<html></html>");
    response.headers.push(("server".to_owned(), "awselb/2.0".to_owned()));
    response
}

#[tokio::test]
async fn passes_without_a_plan_when_health_and_ready_answer() {
    let fakes = Fakes::well();
    fakes.reply("/health", [Ok(answer(200, "ok"))]);
    fakes.reply("/ready", [Ok(answer(204, ""))]);
    let check = RequestsPass::on_test(&Plan::defaults());
    assert_snapshot!(check.question(), @"Are these answered as expected on the test listener: GET /health, GET /ready?");
    assert_snapshot!(told(&check, &context(&fakes)).await, @"
    PASSED
      2 requests passed on HTTP :9001: GET /health 200 in 3 ms, GET /ready 204 in 3 ms
    ");
}

#[tokio::test]
async fn passes_without_a_plan_when_there_is_no_ready() {
    let fakes = Fakes::well();
    fakes.reply("/health", [Ok(answer(200, "ok"))]);
    fakes.reply("/ready", [Ok(answer(404, "not found"))]);
    assert_snapshot!(told(&RequestsPass::on_test(&Plan::defaults()), &context(&fakes)).await, @"
    PASSED
      1 request passed on HTTP :9001: GET /health 200 in 3 ms, GET /ready does not exist
    ");
}

#[tokio::test]
async fn what_is_expected_may_be_the_tag_of_greens_image() {
    let fakes = Fakes::well();
    fakes.state().task_definitions[1].containers[0].image = "orders:9f2c41d@sha256:00".to_owned();
    fakes.reply("/version", [Ok(answer(200, r#"{"tag": "9f2c41d"}"#))]);
    let plan =
        "version: 1\ntest_traffic: { requests: [{ get: /version, expect: { json: { $.tag: \"${image_tag}\" } } }] }";
    let plan = Plan::parse(plan, "plan.yaml").expect("a plan");
    assert!(told(&RequestsPass::on_test(&plan), &context(&fakes)).await.starts_with("PASSED"));
}

#[tokio::test]
async fn fails_without_a_plan_when_ready_says_no() {
    let fakes = Fakes::well();
    fakes.reply("/health", [Ok(answer(200, "ok"))]);
    fakes.reply("/ready", [Ok(answer(503, "db: connection refused"))]);
    assert_snapshot!(told(&RequestsPass::on_test(&Plan::defaults()), &context(&fakes)).await, @r#"
    FAILED
      GET /ready answered 503 with "db: connection refused", expected 2xx; before it 1 request passed
      do: Find out in green's log why GET /ready is not answered as expected.
    "#);
}

const ORDER: &str = r#"
    - name: place an order
      post: /orders
      json: { sku: A1, note: "for ${service}" }
      expect: { status: 201, headers: { content-type: application/json } }
      capture: { order: $.id }
    - get: "/orders/${order}"
      expect: { status: 200, json: { $.id: "${order}", $.sku: A1 }, body_contains: A1 }
"#;

#[tokio::test]
async fn a_captured_value_is_used_by_the_next_request() {
    let fakes = Fakes::well();
    fakes.reply("/orders", [Ok(answer(201, r#"{"id": 7}"#))]);
    fakes.reply("/orders/7", [Ok(answer(200, r#"{"id": 7, "sku": "A1"}"#))]);
    assert_snapshot!(row(&fakes, ORDER).await, @"
    PASSED
      2 requests passed on HTTP :9001: place an order (POST /orders) 201 in 3 ms, GET /orders/${order} 200 in 3 ms
    ");
    let state = fakes.state();
    let sent = state.requests[0].body.as_deref().map(String::from_utf8_lossy);
    assert_eq!(sent.as_deref(), Some(r#"{"note":"for orders","sku":"A1"}"#));
}

#[tokio::test]
async fn fails_when_there_is_nothing_to_capture() {
    let fakes = Fakes::well();
    fakes.reply("/orders", [Ok(answer(201, r#"{"order": 7}"#))]);
    assert_snapshot!(row(&fakes, ORDER).await, @r#"
    FAILED
      place an order (POST /orders) answered 201 without a value at $.id to keep as order: "{"order":7}"
      do: Correct the path of order in the plan, or the answer of place an order (POST /orders).
    "#);
}

#[tokio::test]
async fn fails_when_a_response_is_not_as_expected() {
    let cases = [
        ("status: 200", answer(500, "boom")),
        ("json: { $.status: ready }", answer(200, r#"{"status": "starting"}"#)),
        ("json: { $.status: ready }", answer(200, r#"{}"#)),
        ("json: { $.status: ready }", answer(200, "<html>")),
        ("json: { $.token: ready }", answer(200, r#"{"token": "hunter2"}"#)),
        ("body_contains: ready", answer(200, "starting")),
        ("headers: { x-cache: hit }", answer(200, "")),
        ("headers: { content-type: text/plain }", answer(200, "")),
        ("within: 500ms", ProbeResponse { took: Duration::from_millis(812), ..answer(200, "") }),
    ];
    let mut rows = Vec::new();
    for (expect, response) in cases {
        let fakes = Fakes::well();
        fakes.reply("/ready", [Ok(response)]);
        rows.push(row(&fakes, &format!("    - {{ get: /ready, expect: {{ {expect} }} }}\n")).await);
    }
    let rows =
        rows.join("\n").replace("\n  do: Find out in green's log why GET /ready is not answered as expected.", "");
    assert!(!rows.contains("hunter2"), "{rows}");
    assert_snapshot!(rows, @r#"
    FAILED
      GET /ready answered 500 with "boom", expected 200
    FAILED
      GET /ready answered 200 with "starting" at $.status, expected "ready"
    FAILED
      GET /ready answered 200 with nothing at $.status, expected "ready"
    FAILED
      GET /ready answered 200 with a body that is not JSON: "<html>"
    FAILED
      GET /ready answered 200 with another value at $.token, expected what the plan says
    FAILED
      GET /ready answered 200 with "starting", expected it to contain "ready"
    FAILED
      GET /ready answered 200 with no header x-cache, expected what the plan says
    FAILED
      GET /ready answered 200 with another value in header content-type, expected what the plan says
    FAILED
      GET /ready took 812 ms, expected at most 500ms
    "#);
}

/// A listener that sends plain HTTP away is not green's answer.
#[tokio::test]
async fn a_redirect_is_not_followed() {
    let fakes = Fakes::well();
    let mut response = answer(301, "");
    response.headers.push(("location".to_owned(), "https://orders.example.com/ready?token=hunter2".to_owned()));
    fakes.reply("/ready", [Ok(response)]);
    assert_snapshot!(row(&fakes, "    - get: /ready\n").await, @"
    FAILED
      GET /ready answered 301 with an empty body, expected 2xx; redirects are not followed
      do: Expect this redirect in the plan, or ask where it leads; a listener that redirects to HTTPS tests nothing.
    ");
}

#[tokio::test]
async fn attempts_are_made_one_question_after_another() {
    let fakes = Fakes::well();
    fakes.reply("/ready", [Ok(answer(503, "warming up")), Ok(answer(503, "warming up")), Ok(answer(200, ""))]);
    let check = RequestsPass::on_test(&plan("    - { get: /ready, attempts: 3 }\n"));
    let mut rows = Vec::new();
    for _ in 0..3 {
        rows.push(told(&check, &context(&fakes)).await);
    }
    assert_snapshot!(rows.join("\n"), @r#"
    NOT YET (again in 1000 ms)
      GET /ready answered 503 with "warming up", expected 2xx
      do: Find out in green's log why GET /ready is not answered as expected.
    NOT YET (again in 1000 ms)
      GET /ready answered 503 with "warming up", expected 2xx, attempt 2 of 3
      do: Find out in green's log why GET /ready is not answered as expected.
    PASSED
      1 request passed on HTTP :9001: GET /ready 200 in 3 ms
    "#);
}

/// It may be shifting; the application has not been heard yet.
#[tokio::test]
async fn a_load_balancers_own_error_is_told_apart_and_asked_again() {
    let fakes = Fakes::well();
    fakes.reply("/ready", [Ok(from_load_balancer(502))]);
    let check = RequestsPass::on_test(&plan("    - { get: /ready }\n"));
    let first = told(&check, &context(&fakes)).await;
    for _ in 0..3 {
        told(&check, &context(&fakes)).await;
    }
    let last = told(&check, &context(&fakes)).await;
    assert_snapshot!(format!("{first}\n{last}"), @"
    NOT YET (again in 1000 ms)
      the load balancer itself answered GET /ready with 502: the target closed the connection or answered nonsense
      do: Look at the health of green's targets, and in green's log for exits and slow requests.
    FAILED
      the load balancer itself answered GET /ready with 502: the target closed the connection or answered nonsense, attempt 5 of 5
      do: Look at the health of green's targets, and in green's log for exits and slow requests.
    ");
}

/// Nobody knows whether the order was placed.
#[tokio::test]
async fn a_post_is_not_sent_again_on_its_own() {
    let fakes = Fakes::well();
    fakes.reply("/orders", [Ok(from_load_balancer(504))]);
    assert_snapshot!(row(&fakes, "    - { post: /orders, json: {} }\n").await, @"
    FAILED
      the load balancer itself answered POST /orders with 504: the target did not answer in time
      do: Look at the health of green's targets, and in green's log for exits and slow requests.
    ");
    assert_eq!(fakes.state().requests.len(), 1);
}

#[tokio::test]
async fn fails_when_the_connection_breaks_again_and_again() {
    let fakes = Fakes::well();
    let broken = ProbeError { reason: "connection reset by peer".to_owned(), refused: false };
    fakes.reply("/orders", [Err(broken)]);
    assert_snapshot!(row(&fakes, "    - { post: /orders }\n").await, @"
    FAILED
      POST /orders got no answer: connection reset by peer
      do: Look in green's log for this request; check that the listener on port 9001 exists; attach the function to the load balancer's VPC and allow port 9001 in its security group.
    ");
}

#[tokio::test]
async fn fails_without_a_test_listener() {
    let none = Fakes::well().context_of(Stage::AfterAllowTestTraffic, Deployment { test: None, ..deployment() });
    assert_snapshot!(told(&RequestsPass::on_test(&Plan::defaults()), &none).await, @"
    FAILED
      group orders has no test listener: nothing can be sent to green before users reach it
      do: Give the deployment group a test listener, or take this hook out of the AppSpec.
    ");
}

#[tokio::test]
async fn cannot_tell_when_nothing_listens() {
    let check = RequestsPass::on_test(&Plan::defaults());
    let fakes = Fakes::well();
    for _ in 0..4 {
        assert!(told(&check, &context(&fakes)).await.starts_with("NOT YET"));
    }
    assert_snapshot!(told(&check, &context(&fakes)).await, @"
    CANNOT TELL
      GET /health: nothing listens on port 9001 of the load balancer (connection refused), attempt 5 of 5
      do: Check that the listener on port 9001 exists; attach the function to the load balancer's VPC and allow port 9001 in its security group.
    ");
}

#[tokio::test]
async fn production_is_asked_on_its_own_listener_and_by_its_own_requests() {
    let fakes = Fakes::well();
    fakes.reply(":80/checkout", [Ok(answer(200, ""))]);
    let plan =
        Plan::parse("version: 1\nproduction: { requests: [{ get: /checkout }] }\n", "plan.yaml").expect("a plan");
    let check = RequestsPass::on_production(&plan);
    assert_snapshot!(told(&check, &fakes.context(Stage::AfterAllowTraffic)).await, @"
    PASSED
      1 request passed on HTTP :80: GET /checkout 200 in 3 ms
    ");
}

#[tokio::test]
async fn the_host_of_a_rule_is_sent() {
    let fakes = Fakes::well();
    fakes.reply("/health", [Ok(answer(200, ""))]);
    fakes.reply("/ready", [Ok(answer(200, ""))]);
    let mut deployment = deployment();
    let mut rule = forward(&[(GREEN_GROUP, 1)]);
    rule.hosts = vec!["orders.example.com".to_owned()];
    deployment.test.as_mut().expect("a test listener").rules = vec![rule];
    let context = fakes.context_of(Stage::AfterAllowTestTraffic, deployment);
    assert!(told(&RequestsPass::on_test(&Plan::defaults()), &context).await.starts_with("PASSED"));
    let state = fakes.state();
    assert_eq!(state.requests[0].host.as_deref(), Some("orders.example.com"));
    assert!(state.requests[0].url.starts_with("http://shop-1234.eu-central-1.elb.amazonaws.com:9001/"));
}

#[tokio::test]
async fn assertions_compare_match_and_measure() {
    let body = r#"{"total": 3, "sku": "A12", "lines": [1, 2], "note": null}"#;
    let pass = [
        r#"json: { $.total: "> 2", $.sku: { matches: "^A[0-9]+$" }, $.lines: { length: 2 }, $.note: { exists: true } }"#,
        r#"json: { $.gone: { exists: false }, $.total: { is: "<= 3", equals: 3 } }, headers: { content-type: { matches: json } }"#,
        r#"body_matches: "\"sku\": \"A\\d+\"", headers: { x-debug: { exists: false } }"#,
    ];
    for expect in pass {
        let fakes = Fakes::well();
        fakes.reply("/ready", [Ok(answer(200, body))]);
        let told = row(&fakes, &format!("    - {{ get: /ready, expect: {{ {expect} }} }}\n")).await;
        assert!(told.starts_with("PASSED"), "{expect}\n{told}");
    }
    let fail = [
        r#"json: { $.total: "> 3" }"#,
        r#"json: { $.sku: { matches: "^B" } }"#,
        r#"json: { $.lines: { length: "> 2" } }"#,
        r#"json: { $.note: { exists: false } }"#,
        r#"json: { $.gone: { exists: true } }"#,
        r#"body_matches: "total: 4""#,
        r#"headers: { content-type: { exists: false } }"#,
    ];
    let mut rows = Vec::new();
    for expect in fail {
        let fakes = Fakes::well();
        fakes.reply("/ready", [Ok(answer(200, body))]);
        rows.push(row(&fakes, &format!("    - {{ get: /ready, expect: {{ {expect} }} }}\n")).await);
    }
    let rows =
        rows.join("\n").replace("\n  do: Find out in green's log why GET /ready is not answered as expected.", "");
    assert_snapshot!(rows, @r#"
    FAILED
      GET /ready answered 200 with 3 at $.total, expected a number > 3
    FAILED
      GET /ready answered 200 with "A12" at $.sku, expected a text that matches ^B
    FAILED
      GET /ready answered 200 with [1,2] at $.lines, expected a length > 2
    FAILED
      GET /ready answered 200 with null at $.note, expected nothing there
    FAILED
      GET /ready answered 200 with nothing at $.gone, expected a value
    FAILED
      GET /ready answered 200 with "{"lines":[1,2],"note":null,"sku":"A12","total":3}", expected it to match total: 4
    FAILED
      GET /ready answered 200 with a header content-type, expected what the plan says
    "#);
}

#[tokio::test]
async fn a_form_is_sent_as_one() {
    let fakes = Fakes::well();
    fakes.reply("/login", [Ok(answer(200, "{}"))]);
    row(&fakes, "    - { post: /login, form: { user: \"a@b\", note: \"for ${service} & co\" } }\n").await;
    let state = fakes.state();
    let sent = &state.requests[0];
    assert_eq!(sent.body.as_deref(), Some(b"user=a%40b&note=for%20orders%20%26%20co".as_slice()));
    assert!(sent.headers.contains(&("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())));
}

#[tokio::test]
async fn once_is_not_enough_where_the_plan_wants_it_in_a_row() {
    let (good, bad) = (|| Ok(answer(200, "")), || Ok(answer(500, "boom")));
    let request = "    - { get: /ready, in_a_row: 3, attempts: 6 }\n";
    let mut rows = Vec::new();
    for replies in [vec![good()], vec![good(), bad(), good()], vec![good(), good(), bad(), good(), good(), bad()]] {
        let fakes = Fakes::well();
        fakes.reply("/ready", replies);
        let check = RequestsPass::on_test(&plan(request));
        let mut last = told(&check, &context(&fakes)).await;
        while last.starts_with("NOT YET") {
            last = told(&check, &context(&fakes)).await;
        }
        rows.push(format!("{last}\n  sent {}", fakes.state().requests.len()));
    }
    assert_snapshot!(rows.join("\n"), @r#"
    PASSED
      1 request passed on HTTP :9001: GET /ready 200 in 3 ms, 3 times in a row
      sent 3
    PASSED
      1 request passed on HTTP :9001: GET /ready 200 in 3 ms, 3 times in a row
      sent 5
    FAILED
      GET /ready answered 500 with "boom", expected 2xx, attempt 6 of 6
      do: Find out in green's log why GET /ready is not answered as expected.
      sent 6
    "#);
}

fn redirect(to: &str) -> ProbeResponse {
    let mut response = answer(302, "");
    response.headers.push(("location".to_owned(), to.to_owned()));
    response
}

#[tokio::test]
async fn redirects_are_followed_where_the_plan_says_so_and_no_further() {
    let fakes = Fakes::well();
    fakes.reply("/ready", [Ok(redirect("/one"))]);
    fakes.reply("/one", [Ok(redirect("two"))]);
    fakes.reply("/two", [Ok(answer(200, ""))]);
    fakes.reply("/away", [Ok(redirect("http://169.254.169.254/latest/meta-data"))]);
    fakes.reply("/there", [Ok(redirect("/back"))]);
    fakes.reply("/back", [Ok(redirect("/there"))]);
    let mut rows = Vec::new();
    for request in [
        "{ get: /ready, follow_redirects: 2 }",
        "{ get: /ready, follow_redirects: 1 }",
        "{ get: /away, follow_redirects: 5 }",
        "{ get: /there, follow_redirects: 5 }",
    ] {
        rows.push(row(&fakes, &format!("    - {request}\n")).await);
    }
    let rows = rows.join("\n").replace(
        "\n  do: Expect this redirect in the plan, or ask where it leads; a listener that redirects to HTTPS tests nothing.",
        "",
    );
    assert_snapshot!(rows, @"
    PASSED
      1 request passed on HTTP :9001: GET /ready 200 in 9 ms
    FAILED
      GET /ready answered 302 with an empty body, expected 2xx; 1 redirect followed, and no more are
    FAILED
      GET /away answered 302 with an empty body, expected 2xx; it leads away from this listener, and is not followed
    FAILED
      GET /there answered 302 with an empty body, expected 2xx; the redirects lead in a circle of 2
    ");
    assert!(!fakes.state().requests.iter().any(|request| request.url.contains("169.254")));
}

/// A form is sent once, and the page after it asked for.
#[tokio::test]
async fn what_is_redirected_after_a_post_is_asked_for_by_get() {
    let fakes = Fakes::well();
    fakes.reply("/login", [Ok(redirect("/home"))]);
    fakes.reply("/home", [Ok(answer(200, ""))]);
    row(&fakes, "    - { post: /login, form: { user: a }, follow_redirects: 1 }\n").await;
    let state = fakes.state();
    assert_eq!((state.requests[1].method.as_str(), state.requests[1].body.as_ref()), ("GET", None));
}

#[tokio::test]
async fn a_packed_body_is_refused_where_it_would_have_to_be_read() {
    let fakes = Fakes::well();
    let mut packed = answer(200, "\u{1f}\u{8b}");
    packed.headers.push(("content-encoding".to_owned(), "gzip".to_owned()));
    fakes.reply("/ready", [Ok(packed)]);
    let status = row(&fakes, "    - get: /ready\n").await;
    let json = row(&fakes, "    - { get: /ready, expect: { json: { $.status: ready } } }\n").await;
    assert_snapshot!(format!("{status}\n{json}"), @"
    PASSED
      1 request passed on HTTP :9001: GET /ready 200 in 3 ms
    FAILED
      GET /ready answered 200 with a body in gzip, which was not asked for and is not read
      do: Find out in green's log why GET /ready is not answered as expected.
    ");
}

const WITH_SECRET: &str = "
version: 1
secrets: { smoke: { secret: shop/smoke-token, key: token } }
test_traffic:
  requests: [{ get: /me, headers: { Authorization: \"Bearer ${smoke}\" }, expect: { body_contains: welcome } }]
";

async fn with_secret(fakes: &Fakes) -> String {
    let check = RequestsPass::on_test(&Plan::parse(WITH_SECRET, "plan.yaml").expect("a plan"));
    told(&check, &context(fakes)).await
}

#[tokio::test]
async fn a_secret_comes_from_secrets_manager_and_appears_nowhere() {
    let fakes = Fakes::well();
    fakes.state().secrets.insert("shop/smoke-token".to_owned(), r#"{"token": "hunter2-hunter2"}"#.to_owned());
    fakes.reply("/me", [Ok(answer(200, "welcome"))]);
    assert!(with_secret(&fakes).await.starts_with("PASSED"));
    let sent = ("Authorization".to_owned(), "Bearer hunter2-hunter2".to_owned());
    assert!(fakes.state().requests[0].headers.contains(&sent));

    // Half of it must not be told either.
    let echo = format!("{}hunter2-hunter2 is no good", "x".repeat(112));
    fakes.reply("/me", [Ok(answer(401, &echo))]);
    let told = with_secret(&fakes).await;
    assert!(!told.contains("hunt"), "{told}");
}

#[tokio::test]
async fn cannot_tell_when_a_secret_cannot_be_had() {
    let fakes = Fakes::well();
    let missing = with_secret(&fakes).await;
    let mut rows = vec![missing];
    for text in ["hunter2", r#"{"user": "hunter2"}"#] {
        fakes.state().secrets.insert("shop/smoke-token".to_owned(), text.to_owned());
        rows.push(with_secret(&fakes).await);
    }
    assert_snapshot!(rows.join("\n"), @"
    CANNOT TELL
      secret shop/smoke-token: there is no such secret
      do: Create it, or correct its name in the plan.
    CANNOT TELL
      key token of secret shop/smoke-token: the secret is not JSON
      do: Correct `secrets` in the plan, or the secret.
    CANNOT TELL
      key token of secret shop/smoke-token: the secret has no text at this key
      do: Correct `secrets` in the plan, or the secret.
    ");
    assert!(fakes.state().requests.is_empty());
}

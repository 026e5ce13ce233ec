use insta::assert_snapshot;

use super::{Credentials, Mark, Plan, RequestBody, Severity, Statuses};

mod migrations;

/// Every key this version knows.
const WHOLE: &str = r#"
version: 1
database: { secret: orders/migrator, host: db.internal, port: 5432, name: orders }
secrets: { smoke_password: { secret: orders/smoke, key: password } }
test_traffic:
  host: orders.example.com
  green: { header: X-Version, equals: "${task_definition_revision}" }
  requests:
    - { name: ready, get: /ready, expect: { status: 200, json: { $.status: ready }, within: 500ms } }
    - name: place an order
      post: /orders
      headers: { x-test: "1" }
      json: { sku: A1, quantity: 1 }
      expect: { status: [200, 201], headers: { Content-Type: application/json } }
      capture: { order: $.id }
    - { get: "/orders/${order}", expect: { status: 2xx, body_contains: A1 }, attempts: 3 }
    - name: log in
      post: /login
      form: { password: "${smoke_password}", user: smoke }
      follow_redirects: 2
      in_a_row: 2
      expect: { headers: { location: { exists: false } }, json: { $.lines: { length: "> 0" } }, body_matches: "^[{]" }
  load: { rate: 50/s, for: 20s, requests: [ready], expect: { errors: "< 0.1%", p99: "< 300ms" } }
  compare_with_blue: { requests: [ready], ignore: [$.version], ignore_headers: [Vary] }
migrations: { sql: "s3://bucket/orders/42/", lock_timeout: 5s }
production:
  bake: 3m
  requests: [{ get: /health }]
  errors: { worse_than_blue_by: 1pp, at_least: 200 requests }
checks: { alarms-are-quiet: advisory }
"#;

fn refusal(text: &str) -> String {
    Plan::parse(&format!("version: 1\n{text}"), "plan.yaml").expect_err("the plan is wrong").to_string()
}

#[test]
fn a_whole_plan_is_read() {
    let plan = Plan::parse(WHOLE, "plan.yaml").expect("a plan");
    assert_eq!(
        plan.database.map(|database| database.credentials),
        Some(Credentials::Secret("orders/migrator".to_owned()))
    );
    assert_eq!(plan.test_traffic.host.as_deref(), Some("orders.example.com"));
    let green = plan.test_traffic.green.expect("a proof");
    assert_eq!(green.mark, Mark::Header("x-version".to_owned()));
    let requests = plan.test_traffic.requests.expect("requests");
    let names: Vec<&str> = requests.iter().map(|request| request.name.as_str()).collect();
    let expected =
        ["ready (GET /ready)", "place an order (POST /orders)", "GET /orders/${order}", "log in (POST /login)"];
    assert_eq!(names, expected);
    assert_eq!((requests[3].in_a_row, requests[3].attempts, requests[3].follow_redirects), (2, 2, 2));
    let load = plan.test_traffic.load.expect("a load");
    assert_eq!((load.course.total(), load.requests[0].name.as_str()), (1000, "ready (GET /ready)"));
    let compared = plan.test_traffic.compare_with_blue.expect("a comparison");
    assert_eq!((compared.requests.len(), compared.ignore_headers[0].as_str()), (1, "vary"));
    let errors = plan.production.errors.expect("a limit");
    assert_eq!(errors.at_least.map(|it| it.to_string()).as_deref(), Some("200 requests"));
    assert_eq!(requests[1].method, "POST");
    assert_eq!(requests[1].body, Some(RequestBody::Json(serde_json::json!({"sku": "A1", "quantity": 1}))));
    assert_eq!(requests[1].expect.status, Statuses::OneOf(vec![200, 201]));
    assert_eq!(requests[2].attempts, 3);
    assert_eq!(plan.production.bake.map(|bake| bake.to_string()).as_deref(), Some("3m"));
    assert_eq!(plan.checks.get("alarms-are-quiet"), Some(&Severity::Advisory));
}

/// A Docker label is more easily filled with JSON.
#[test]
fn a_plan_may_be_json() {
    let tree: serde_json::Value = serde_saphyr::from_str(WHOLE).expect("YAML");
    assert_eq!(Plan::parse(&tree.to_string(), "label"), Plan::parse(WHOLE, "plan.yaml"));
}

#[test]
fn the_smallest_plan_is_the_defaults() {
    assert_eq!(Plan::parse("version: 1\n", "plan.yaml"), Ok(Plan::defaults()));
}

#[test]
fn a_check_blocks_unless_the_plan_or_its_page_says_otherwise() {
    let plan = Plan::parse(WHOLE, "plan.yaml").expect("a plan");
    assert_eq!(plan.severity("alarms-are-quiet"), Severity::Advisory);
    assert_eq!(plan.severity("blue-is-healthy"), Severity::Blocking);
    assert_eq!(plan.severity("rollback-is-armed"), Severity::Advisory);
}

#[test]
fn an_unknown_check_names_the_nearest_one() {
    let message = refusal("checks: { alarms-are-quite: advisory }\n");
    assert!(message.starts_with("plan.yaml:2:11: unknown check `alarms-are-quite`; expected one of "), "{message}");
    assert!(message.contains("did you mean `alarms-are-quiet`?"), "{message}");
}

#[test]
fn wrong_keys_and_words_are_pointed_at() {
    let messages = [
        refusal("chek: {}\n"),
        refusal("checks: { alarms-are-quiet: advise }\n"),
        refusal("production: { bake: 180 }\n"),
        refusal("test_traffic: { host: \"https://orders.example.com/\" }\n"),
        refusal("test_traffic: { green: { equals: \"42\" } }\n"),
        refusal("database: { secret: a, cluster: b, host: c }\n"),
        refusal("before_install: { images: { max_severity: critical } }\n"),
    ];
    assert_snapshot!(messages.join("\n"), @r#"
    plan.yaml:2:1: unknown key `chek`; expected one of `version`, `database`, `before_install`, `secrets`, `test_traffic`, `migrations`, `production`, `function`, `checks`; did you mean `checks`?
       2 | chek: {}
         | ^
    plan.yaml:2:29: unknown word `advise`; expected one of `blocking`, `advisory`; did you mean `advisory`?
       2 | checks: { alarms-are-quiet: advise }
         |                             ^
    plan.yaml:2:21: `180` has no unit; expected a duration such as `500ms`, `5s`, `3m` or `1h`
       2 | production: { bake: 180 }
         |                     ^
    plan.yaml:2:23: a host is a plain name such as `orders.example.com`
       2 | test_traffic: { host: "https://orders.example.com/" }
         |                       ^
    plan.yaml:2:24: green is told by exactly one of `header` and `json`
       2 | test_traffic: { green: { equals: "42" } }
         |                        ^
    plan.yaml:2:11: a database has `cluster` or `host`, not both
       2 | database: { secret: …
         |           ^
    plan.yaml:2:43: unknown word `critical`; expected one of `none`, `informational`, `low`, `medium`, `high`
       2 | before_install: { images: { max_severity: critical } }
         |                                           ^
    "#);
    let version = Plan::parse("version: 2\n", "plan.yaml").expect_err("a later version").to_string();
    assert_snapshot!(version, @"
    plan.yaml:1:10: this version of greenlight reads plans of version 1
       1 | version: 2
         |          ^
    ");
    let missing = Plan::parse("checks: {}\n", "plan.yaml").expect_err("no version").to_string();
    assert_snapshot!(missing, @"
    plan.yaml:1:1: the key `version` is missing here
       1 | checks: {}
         | ^
    ");
}

#[test]
fn wrong_requests_are_pointed_at() {
    let of = |request: &str| refusal(&format!("test_traffic:\n  requests:\n    - {request}\n"));
    let messages = [
        of("{ get: /a, post: /b }"),
        of("{ name: a }"),
        of("{ get: a }"),
        of("{ get: \"/orders/${ordr}\" }"),
        of("{ get: /a, attempts: 0 }"),
        of("{ post: /a, json: {}, body: x }"),
        of("{ get: /a, expect: { status: 2000 } }"),
        of("{ get: /a, expect: { status: ok } }"),
        of("{ get: /a, expect: { json: { status: ready } } }"),
        of("{ get: /a, capture: { service: $.id } }"),
        of("{ get: /a, expcet: {} }"),
        of("{ get: /a, headers: { Host: b } }"),
    ];
    assert_snapshot!(messages.join("\n"), @r#"
    plan.yaml:4:7: a request has exactly one of `get`, `post`, `put`, `patch`, `delete`, `head`
       4 |     - { get: /a, post: /b }
         |       ^
    plan.yaml:4:7: a request has exactly one of `get`, `post`, `put`, `patch`, `delete`, `head`
       4 |     - { name: a }
         |       ^
    plan.yaml:4:14: a path begins with `/`; the address is the listener's own
       4 |     - { get: a }
         |              ^
    plan.yaml:4:14: nothing before this sets `${ordr}`; expected one of `task_definition_revision`, `task_definition_family`, `task_definition`, `image_tag`, `deployment_id`, `service`, `cluster`
       4 |     - { get: "/orders/${ordr}" }
         |              ^
    plan.yaml:4:28: expected 1 to 20 attempts
       4 |     - { get: /a, attempts: 0 }
         |                            ^
    plan.yaml:4:35: a request has one of `json`, `form` and `body`
       4 |     - { post: /a, json: {}, body: x }
         |                                   ^
    plan.yaml:4:36: 2000 is no status; expected a status such as `200`, `2xx` or `[200, 204]`
       4 |     - { get: /a, expect: { status: 2000 } }
         |                                    ^
    plan.yaml:4:36: `ok` is no status; expected a status such as `200`, `2xx` or `[200, 204]`
       4 |     - { get: /a, expect: { status: ok } }
         |                                    ^
    plan.yaml:4:36: `status` is no path into JSON; expected one such as `$.status` or `$.items[0].id`
       4 |     - { get: /a, expect: { json: { status: ready } } }
         |                                    ^
    plan.yaml:4:29: `service` has a meaning already; choose another name
       4 |     - { get: /a, capture: { service: $.id } }
         |                             ^
    plan.yaml:4:18: unknown key `expcet`; expected one of `name`, `get`, `post`, `put`, `patch`, `delete`, `head`, `headers`, `json`, `form`, `body`, `expect`, `capture`, `attempts`, `in_a_row`, `follow_redirects`; did you mean `expect`?
       4 |     - { get: /a, expcet: {} }
         |                  ^
    plan.yaml:4:29: the host is set by `test_traffic.host`
       4 |     - { get: /a, headers: { Host: b } }
         |                             ^
    "#);
}

#[test]
fn a_variable_is_known_only_after_its_capture() {
    let text = "test_traffic:\n  requests:\n    - { get: \"/orders/${order}\" }\n    - { get: /a, capture: { order: $.id } }\n";
    assert!(refusal(text).starts_with("plan.yaml:4:14: nothing before this sets `${order}`"), "{}", refusal(text));
}

/// The plan lives in a Docker label or a parameter that many may read.
#[test]
fn a_secret_in_plain_sight_is_refused_and_not_repeated() {
    let messages = [
        refusal("test_traffic:\n  requests:\n    - { get: /a, headers: { Authorization: Bearer hunter2 } }\n"),
        refusal("test_traffic:\n  requests:\n    - { post: /a, json: { user: a, password: hunter2 } }\n"),
        refusal("test_traffic:\n  requests:\n    - post: /a\n      json:\n        password: hunter2\n"),
        refusal("database: { secret: a, password: hunter2 }\n"),
    ];
    let all = messages.join("\n");
    assert!(!all.contains("hunter2"), "{all}");
    assert_snapshot!(all, @"
    plan.yaml:4:29: `Authorization` holds a secret in plain sight, and a plan is no place for one; name it under `secrets`, or capture it from an earlier request, and write `${name}`
       4 |     - { get: /a, headers: { Authorization: …
         |                             ^
    plan.yaml:4:25: `password` holds a secret in plain sight, and a plan is no place for one; name it under `secrets`, or capture it from an earlier request, and write `${name}`
       4 |     - { post: /a, json: { user: a, password: …
         |                         ^
    plan.yaml:6:9: `password` holds a secret in plain sight, and a plan is no place for one; name it under `secrets`, or capture it from an earlier request, and write `${name}`
       6 |         password: …
         |         ^
    plan.yaml:2:24: `password` has no place in a plan; name a secret of Secrets Manager with `secret`
       2 | database: { secret: …
         |                      ^
    ");
}

#[test]
fn a_captured_secret_may_be_used() {
    let text = "version: 1\ntest_traffic:\n  requests:\n    - { post: /login, capture: { session: $.token } }\n    \
                - { get: /me, headers: { Authorization: \"Bearer ${session}\" } }\n";
    Plan::parse(text, "plan.yaml").expect("the plan holds no secret");
}

/// A person corrects a document once, not once for every mistake in it.
#[test]
fn every_mistake_of_a_plan_is_told_at_once() {
    let text = "\
database: { secret: a, cluster: b, host: c }
test_traffic:
  host: https://orders.example.com/
  green: { heder: x-version }
  requests:
    - { name: neither }
    - { get: /a, expect: { status: 2000, json: { status: ready } }, attempts: 0 }
    - post: orders
      headers: { Host: b, Authorization: Bearer hunter2 }
      capture: { order: id, service: $.id }
    - { get: \"/orders/${order}/${ordr}\", expcet: {} }
production: { bake: 180 }
checks: { alarms-are-quite: advisory, rollback-is-armed: no }
";
    let all = Plan::parse(text, "plan.yaml").expect_err("the plan is wrong").to_string();
    assert!(!all.contains("hunter2"), "{all}");
    assert_snapshot!(all, @r#"
    plan.yaml:1:1: the key `version` is missing here
       1 | database: { secret: …
         | ^
    plan.yaml:1:11: a database has `cluster` or `host`, not both
       1 | database: { secret: …
         |           ^
    plan.yaml:3:9: a host is a plain name such as `orders.example.com`
       3 |   host: https://orders.example.com/
         |         ^
    plan.yaml:4:12: unknown key `heder`; expected one of `header`, `json`, `equals`, `get`; did you mean `header`?
       4 |   green: { heder: x-version }
         |            ^
    plan.yaml:4:12: the key `equals` is missing here
       4 |   green: { heder: x-version }
         |            ^
    plan.yaml:6:7: a request has exactly one of `get`, `post`, `put`, `patch`, `delete`, `head`
       6 |     - { name: neither }
         |       ^
    plan.yaml:7:36: 2000 is no status; expected a status such as `200`, `2xx` or `[200, 204]`
       7 |     - { get: /a, expect: { status: 2000, json: { status: ready } }, attempts: 0 }
         |                                    ^
    plan.yaml:7:50: `status` is no path into JSON; expected one such as `$.status` or `$.items[0].id`
       7 |     - { get: /a, expect: { status: 2000, json: { status: ready } }, attempts: 0 }
         |                                                  ^
    plan.yaml:7:79: expected 1 to 20 attempts
       7 |     - { get: /a, expect: { status: 2000, json: { status: ready } }, attempts: 0 }
         |                                                                               ^
    plan.yaml:8:13: a path begins with `/`; the address is the listener's own
       8 |     - post: orders
         |             ^
    plan.yaml:9:18: the host is set by `test_traffic.host`
       9 |       headers: { Host: b, Authorization: …
         |                  ^
    plan.yaml:9:27: `Authorization` holds a secret in plain sight, and a plan is no place for one; name it under `secrets`, or capture it from an earlier request, and write `${name}`
       9 |       headers: { Host: b, Authorization: …
         |                           ^
    plan.yaml:10:25: `id` is no path into JSON; expected one such as `$.status` or `$.items[0].id`
      10 |       capture: { order: id, service: $.id }
         |                         ^
    plan.yaml:10:29: `service` has a meaning already; choose another name
      10 |       capture: { order: id, service: $.id }
         |                             ^
    plan.yaml:11:14: nothing before this sets `${ordr}`; expected one of `task_definition_revision`, `task_definition_family`, `task_definition`, `image_tag`, `deployment_id`, `service`, `cluster`, `order`; did you mean `order`?
      11 |     - { get: "/orders/${order}/${ordr}", expcet: {} }
         |              ^
    plan.yaml:11:42: unknown key `expcet`; expected one of `name`, `get`, `post`, `put`, `patch`, `delete`, `head`, `headers`, `json`, `form`, `body`, `expect`, `capture`, `attempts`, `in_a_row`, `follow_redirects`; did you mean `expect`?
      11 |     - { get: "/orders/${order}/${ordr}", expcet: {} }
         |                                          ^
    plan.yaml:12:21: `180` has no unit; expected a duration such as `500ms`, `5s`, `3m` or `1h`
      12 | production: { bake: 180 }
         |                     ^
    plan.yaml:13:11: unknown check `alarms-are-quite`; expected one of `task-definition-is-active`, `container-matches-load-balancer`, `images-exist`, `secrets-exist`, `listeners-are-wired`, `blue-is-healthy`, `alarms-are-quiet`, `rollback-is-armed`, `health-check-is-sound`, `database-is-available`, `green-runs-target-revision`, `green-tasks-are-steady`, `green-targets-are-healthy`, `green-spans-zones`, `green-answers`, `requests-pass`, `load-holds`, `blue-and-green-agree`, `migrations-keep-blue-alive`, `migrations-apply`, `production-serves-green`, `alarms-stay-quiet`, `green-is-no-worse-than-blue`, `version-answers`, `alias-serves-version`; did you mean `alarms-are-quiet`?
      13 | checks: { alarms-are-quite: advisory, rollback-is-armed: no }
         |           ^
    plan.yaml:13:58: unknown word `no`; expected one of `blocking`, `advisory`
      13 | checks: { alarms-are-quite: advisory, rollback-is-armed: no }
         |                                                          ^
    "#);
}

/// What is lacking may be the very entry that is wrong, and is not told as well; what else is lacking is.
#[test]
fn what_follows_from_another_mistake_of_a_plan_is_not_told() {
    let count = |text: &str| Plan::parse(text, "plan.yaml").expect_err("the plan is wrong").iter().count();
    assert_eq!(count("version: 1\ntest_traffic: { green: { json: version, equals: \"1\" } }\n"), 1);
    assert_eq!(count("version: 1\ntest_traffic: { requests: [{ get: \"/${a b}\" }] }\n"), 1);
    assert_eq!(count("vresion: 1\n"), 1);
    assert_eq!(count("vresion: 1\nversion: 1\n"), 1);
    assert_eq!(count("checkss: {}\n"), 2);
}

/// Whoever reads the first message only reads what is first in the document.
#[test]
fn mistakes_of_all_kinds_are_in_the_order_of_the_document() {
    let text = "checks: { unheard-of: advisory }\nversion: 2\nwrong: 1\ndatabase: {}\n";
    let mistakes = Plan::parse(text, "plan.yaml").expect_err("the plan is wrong");
    let lines: Vec<u64> = mistakes.iter().map(super::document::DocumentError::line).collect();
    assert_eq!(lines, [1, 2, 3, 4]);
    assert_eq!(mistakes.first().line(), 1);
    assert!(mistakes.briefly().ends_with("\nand 3 more"), "{}", mistakes.briefly());
}

/// A plan that was generated, and by mistake.
#[test]
fn a_plan_of_a_megabyte_is_refused_with_one_message() {
    let text = format!("version: 1\ntest_traffic:\n  requests:\n{}", "    - { gett: /a }\n".repeat(60_000));
    assert_snapshot!(Plan::parse(&text, "plan.yaml").expect_err("it is too large").to_string(), @"
    plan.yaml:1:1: the document has 1140037 bytes; at most 262144 are read
       1 | version: 1
         | ^
    ");
}

#[test]
fn a_load_that_can_show_nothing_is_refused() {
    let of = |load: &str| {
        refusal(&format!(
            "test_traffic:\n  requests: [{{ name: ready, get: /ready }}, {{ post: /orders, capture: {{ order: $.id }} }}, {{ get: \"/orders/${{order}}\" }}]\n  load: {{ {load} }}\n"
        ))
    };
    let messages = [
        of("rate: 50/s, for: 10s, expect: { errors: \"< 0.1%\" }"),
        of("rate: 50/s, for: 10s, expect: {}"),
        of("rate: 50, for: 10s, expect: { p99: 300ms }"),
        of("rate: 50/s, for: 10s, expect: { p99: 300 }"),
        of("rate: 50/s, for: 11m, expect: { p99: 300ms }"),
        of("rate: 50000/s, for: 1m, expect: { p99: 300ms }"),
        of("rate: 50/s, for: 10s, requests: [redy], expect: { p99: 300ms }"),
        of("rate: 50/s, for: 10s, requests: [POST /orders], expect: { p99: 300ms }"),
        of("rate: 50/s, for: 10s, requests: [\"GET /orders/${order}\"], expect: { p99: 300ms }"),
        of("rate: 50/s, for: 10s, expect: { p98: 300ms }"),
    ];
    assert_snapshot!(messages.join("\n"), @r#"
    plan.yaml:4:28: 50/s for 10s are 500 requests; what is expected takes at least 1000 to show
       4 |   load: { rate: 50/s, for: 10s, expect: { errors: "< 0.1%" } }
         |                            ^
    plan.yaml:4:41: nothing is expected of the load; expected `errors`, or a percentile such as `p99`
       4 |   load: { rate: 50/s, for: 10s, expect: {} }
         |                                         ^
    plan.yaml:4:17: `50` is not a rate; expected a rate such as `50/s`, `600/m` or `5/h`
       4 |   load: { rate: 50, for: 10s, expect: { p99: 300ms } }
         |                 ^
    plan.yaml:4:48: `300` has no unit; expected a duration such as `500ms`, `5s`, `3m` or `1h`
       4 |   load: { rate: 50/s, for: 10s, expect: { p99: 300 } }
         |                                                ^
    plan.yaml:4:28: expected more than 0s and at most 10m
       4 |   load: { rate: 50/s, for: 11m, expect: { p99: 300ms } }
         |                            ^
    plan.yaml:4:17: `50000/s` is more than one function sends; at most 10000/s
       4 |   load: { rate: 50000/s, for: 1m, expect: { p99: 300ms } }
         |                 ^
    plan.yaml:4:44: no request of `test_traffic.requests` is called `redy`; expected one of `ready`, `POST /orders`, `GET /orders/${order}`; did you mean `ready`?
       4 |   load: { rate: 50/s, for: 10s, requests: [redy], expect: { p99: 300ms } }
         |                                            ^
    plan.yaml:4:44: `POST /orders` sends POST, which may change something; only GET and HEAD are sent here
       4 |   load: { rate: 50/s, for: 10s, requests: [POST /orders], expect: { p99: 300ms } }
         |                                            ^
    plan.yaml:4:44: `GET /orders/${order}` needs `${order}` of an earlier request; here each is sent on its own
       4 |   load: { rate: 50/s, for: 10s, requests: ["GET /orders/${order}"], expect: { p99: 300ms } }
         |                                            ^
    plan.yaml:4:43: unknown key `p98`; expected one of `errors`, `p50`, `p90`, `p95`, `p99`, `p99.9`; did you mean `p99`?
       4 |   load: { rate: 50/s, for: 10s, expect: { p98: 300ms } }
         |                                           ^
    "#);
}

#[test]
fn a_secret_stands_only_where_no_log_sees_it() {
    let of = |request: &str| {
        refusal(&format!(
            "secrets: {{ smoke: {{ secret: orders/smoke }} }}\ntest_traffic:\n  requests:\n    - {request}\n"
        ))
    };
    let messages = [
        of("{ get: \"/me?token=${smoke}\" }"),
        of("{ get: /me, expect: { body_contains: \"${smoke}\" } }"),
        of("{ get: /me, capture: { smoke: $.id } }"),
        of("{ get: /me, form: {}, body: x }"),
        of("{ get: /me, attempts: 2, in_a_row: 3 }"),
        of("{ get: /me, follow_redirects: 11 }"),
        of("{ get: /me, expect: { json: { $.a: { above: 3 } } } }"),
        of("{ get: /me, expect: { json: { $.a: { matches: \"(\" } } } }"),
        refusal("secrets: { smoke: { secret: \"Bearer hunter2\" } }\n"),
    ];
    let all = messages.join("\n");
    assert_snapshot!(all, @r#"
    plan.yaml:5:14: the secret `smoke` may stand in `headers`, `json`, `form` and `body` only
       5 |     - { get: "/me?token=…
         |              ^
    plan.yaml:5:44: the secret `smoke` may stand in `headers`, `json`, `form` and `body` only
       5 |     - { get: /me, expect: { body_contains: "${smoke}" } }
         |                                            ^
    plan.yaml:5:30: `smoke` has a meaning already; choose another name
       5 |     - { get: /me, capture: { smoke: $.id } }
         |                              ^
    plan.yaml:5:35: a request has one of `json`, `form` and `body`
       5 |     - { get: /me, form: {}, body: x }
         |                                   ^
    plan.yaml:5:29: 3 times in a row take at least 3 attempts
       5 |     - { get: /me, attempts: 2, in_a_row: 3 }
         |                             ^
    plan.yaml:5:37: expected 0 to 10 redirects
       5 |     - { get: /me, follow_redirects: 11 }
         |                                     ^
    plan.yaml:5:44: unknown key `above`; expected one of `equals`, `exists`, `is`, `matches`, `length`
       5 |     - { get: /me, expect: { json: { $.a: { above: 3 } } } }
         |                                            ^
    plan.yaml:5:53: `(` is no regular expression: found open group without closing ')'
       5 |     - { get: /me, expect: { json: { $.a: { matches: "(" } } } }
         |                                                     ^
    plan.yaml:2:19: `secret` is the name or ARN of a secret, not the secret itself
       2 | secrets: …
         |           ^
    "#);
}

/// Whatever the key is called.
#[test]
fn what_is_a_secret_by_its_form_is_refused_wherever_it_stands() {
    let text = "\
version: 1
database: { secret: postgres://orders:hunter2@db/orders }
test_traffic:
  host: orders.example.com
  requests:
    - { name: AKIAIOSFODNN7EXAMPLE, get: \"/a?password=hunter2\", headers: { x-me: Bearer 9f86d081884c7d659a2feaa0 } }
    - post: /a
      json: { note: \"see https://a:hunter2@example.com/\", deep: [{ keys: [ghp_16C7e42F292c6912E7710c838347Ae178B4a] }] }
      expect: { json: { $.token: wJ4lrXUtn3FEm/K7MdENg/bPxRfiC9yQ2LsT0aZe, $.token_type: bearer } }
    - get: /b
      body: |
        -----BEGIN PRIVATE KEY-----
        MIIEvQIBADANBg
";
    let all = Plan::parse(text, "plan.yaml").expect_err("the plan is wrong").to_string();
    for secret in ["hunter2", "AKIAIO", "9f86d0", "ghp_", "wJ4lr", "MIIE"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
    assert_snapshot!(all, @r#"
    plan.yaml:2:21: this is a password in a URL, and a plan is no place for one; name a secret of Secrets Manager instead
       2 | database: { secret: …
         |                     ^
    plan.yaml:6:15: this is an AWS access key, and a plan is no place for one; name a secret of Secrets Manager instead
       6 |     - { name: …
         |               ^
    plan.yaml:6:42: this is a secret in a query, and a plan is no place for one; name a secret of Secrets Manager instead
       6 |     - { name: …
         |                ^
    plan.yaml:6:82: this is a credential, and a plan is no place for one; name a secret of Secrets Manager instead
       6 |     - { name: …
         |                ^
    plan.yaml:8:21: this is a password in a URL, and a plan is no place for one; name a secret of Secrets Manager instead
       8 |       json: { note: "see https://…@example.com/", deep: [{ keys: […
         |                     ^
    plan.yaml:8:75: this is an access token, and a plan is no place for one; name a secret of Secrets Manager instead
       8 |       json: { note: "see https://…@example.com/", deep: [{ keys: […
         |                                                                    ^
    plan.yaml:9:34: this is a generated secret by its look, and a plan is no place for one; name a secret of Secrets Manager instead
       9 |       expect: { json: { $.token: …
         |                                  ^
    plan.yaml:12:9: this is a private key, and a plan is no place for one; name a secret of Secrets Manager instead
      12 |         …
         |         ^
    "#);
}

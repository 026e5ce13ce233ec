use insta::assert_snapshot;

use super::VersionAnswers;
use crate::checks::told::told;
use crate::fakes::{Fakes, failed, function_deployment, returned};
use crate::plan::Plan;
use crate::ports::Invoked;
use crate::stage::Stage;

const PLAN: &str = "
version: 1
function:
  invocations:
    - name: place an order
      event: { path: /orders, sku: A1, version: \"${target_version}\" }
      expect: { json: { $.statusCode: 201, $.version: \"${target_version}\" }, within: 500ms }
    - { name: a bad order, event: { sku: null }, expect: { error: ValidationError } }
";

const PLACED: &str = r#"{"statusCode": 201, "version": 42}"#;

fn check(plan: &str) -> VersionAnswers {
    VersionAnswers::from_plan(&Plan::parse(plan, "plan").expect("a sound plan"))
}

async fn row(fakes: &Fakes, returns: Vec<Result<Option<Invoked>, bool>>) -> String {
    fakes.state().returns = returns.into();
    told(&check(PLAN), &fakes.context_of(Stage::BeforeAllowTraffic, function_deployment())).await
}

fn refusal() -> Invoked {
    failed("ValidationError", "sku is missing", "")
}

#[tokio::test]
async fn passes_when_every_event_comes_to_what_the_plan_expects() {
    let fakes = Fakes::well();
    assert_snapshot!(row(&fakes, vec![Ok(Some(returned(PLACED))), Ok(Some(refusal()))]).await, @"
    PASSED
      2 invocations of orders:42 passed: place an order in 12 ms, a bad order in 12 ms
    ");
    let sent: Vec<String> =
        fakes.state().calls.iter().map(|call| format!("{}:{} {}", call.function, call.version, call.event)).collect();
    assert_snapshot!(sent.join("\n"), @r#"
    orders:42 {"path":"/orders","sku":"A1","version":"42"}
    orders:42 {"sku":null}
    "#);
}

/// An empty event might delete everything.
#[tokio::test]
async fn without_a_plan_nothing_is_sent_and_the_row_says_so() {
    let fakes = Fakes::well();
    let context = fakes.context_of(Stage::BeforeAllowTraffic, function_deployment());
    assert_snapshot!(told(&VersionAnswers::from_plan(&Plan::defaults()), &context).await, @"
    PASSED
      nothing was asked of orders:42: the plan names no events (function.invocations)
    ");
    assert!(fakes.state().calls.is_empty());
}

#[tokio::test]
async fn fails_when_the_function_fails_and_quotes_its_last_line() {
    let log = "START RequestId: 1 Version: 42\nconnecting with DB_PASSWORD=hunter2\nno such table: orders\nEND RequestId: 1\n";
    let broken = failed("OperationalError", "no such table: orders", log);
    assert_snapshot!(row(&Fakes::well(), vec![Ok(Some(broken))]).await, @"
    FAILED
      place an order failed with OperationalError: no such table: orders; its last line: no such table: orders
      do: Read the log of version 42 in /aws/lambda/orders, correct it, and deploy again.
    ");
}

#[tokio::test]
async fn fails_when_something_else_is_returned() {
    let wrong = [
        returned(r#"{"statusCode": 500}"#),
        returned(r#"{"statusCode": 201, "version": "41"}"#),
        returned("no JSON at all"),
        Invoked { took: std::time::Duration::from_millis(800), ..returned(PLACED) },
        Invoked { version: Some("41".to_owned()), ..returned(PLACED) },
    ];
    let mut rows = Vec::new();
    for wrong in wrong {
        rows.push(row(&Fakes::well(), vec![Ok(Some(wrong))]).await);
    }
    assert_snapshot!(rows.join("\n"), @r#"
    FAILED
      place an order returned 500 at $.statusCode, expected 201
      do: Read the log of version 42 in /aws/lambda/orders, correct it, and deploy again.
    FAILED
      place an order returned "41" at $.version, expected "42"
      do: Read the log of version 42 in /aws/lambda/orders, correct it, and deploy again.
    FAILED
      place an order returned nothing at $.statusCode, expected 201
      do: Read the log of version 42 in /aws/lambda/orders, correct it, and deploy again.
    FAILED
      place an order took 800 ms, expected at most 500ms
      do: Read the log of version 42 in /aws/lambda/orders, correct it, and deploy again.
    FAILED
      place an order was answered by version 41, expected version 42
      do: Read the log of version 42 in /aws/lambda/orders, correct it, and deploy again.
    "#);
}

#[tokio::test]
async fn fails_when_an_error_that_is_expected_does_not_come() {
    let other = failed("KeyError", "sku", "");
    let rows = [
        row(&Fakes::well(), vec![Ok(Some(returned(PLACED))), Ok(Some(returned(PLACED)))]).await,
        row(&Fakes::well(), vec![Ok(Some(returned(PLACED))), Ok(Some(other))]).await,
    ];
    assert_snapshot!(rows.join("\n"), @r#"
    FAILED
      a bad order returned "{"statusCode":201,"version":42}", expected it to fail with ValidationError; before it 1 invocation passed
      do: Read the log of version 42 in /aws/lambda/orders, correct it, and deploy again.
    FAILED
      a bad order failed with KeyError: sku, expected ValidationError; before it 1 invocation passed
      do: Read the log of version 42 in /aws/lambda/orders, correct it, and deploy again.
    "#);
}

#[tokio::test]
async fn no_answer_is_a_no_only_where_the_plan_sets_a_limit() {
    assert_snapshot!(row(&Fakes::well(), vec![Ok(None)]).await, @"
    FAILED
      place an order got no answer from orders:42 in 5 s, expected one within 500ms
      do: Read the log of version 42 in /aws/lambda/orders, correct it, and deploy again.
    ");
    assert_snapshot!(row(&Fakes::well(), vec![Ok(Some(returned(PLACED))), Ok(None)]).await, @"
    CANNOT TELL
      a bad order got no answer from orders:42 in 30 s
      do: Say in the plan how long a bad order may take (expect.within).
    ");
}

#[tokio::test]
async fn cannot_tell_when_the_version_may_not_be_invoked() {
    assert_snapshot!(row(&Fakes::well(), vec![Err(false)]).await, @"
    CANNOT TELL
      invocation of orders:42: AccessDeniedException
      do: Allow lambda:InvokeFunction in the function's role.
    ");
}

/// The first event has had its effect; only the second was throttled.
#[tokio::test]
async fn an_event_that_was_answered_is_not_sent_again() {
    let fakes = Fakes::well();
    fakes.state().returns = vec![Ok(Some(returned(PLACED))), Err(true), Ok(Some(refusal()))].into();
    let context = fakes.context_of(Stage::BeforeAllowTraffic, function_deployment());
    let check = check(PLAN);
    assert_snapshot!(told(&check, &context).await, @"
    CANNOT TELL
      invocation of orders:42: TooManyRequestsException
      do: Allow lambda:InvokeFunction in the function's role.
    ");
    assert_snapshot!(told(&check, &context).await, @"
    PASSED
      2 invocations of orders:42 passed: place an order in 12 ms, a bad order in 12 ms
    ");
    assert_eq!(fakes.state().calls.len(), 3);
}

/// The function may say what it was sent, in its error and in its log.
#[tokio::test]
async fn a_secret_of_an_event_is_sent_and_never_told() {
    let plan = "
version: 1
secrets: { token: { secret: shop/smoke-token } }
function: { invocations: [{ event: { authorization: \"Bearer ${token}\" } }] }
";
    let fakes = Fakes::well();
    fakes.state().secrets.insert("shop/smoke-token".to_owned(), "s3cr3t-t0ken".to_owned());
    let echo = failed("AuthError", "no such token: s3cr3t-t0ken", "checking s3cr3t-t0ken\n");
    fakes.state().returns = vec![Ok(Some(echo))].into();
    let context = fakes.context_of(Stage::BeforeAllowTraffic, function_deployment());
    assert_snapshot!(told(&check(plan), &context).await, @"
    FAILED
      invocation 1 failed with AuthError: no such token: …; its last line: checking [secret]
      do: Read the log of version 42 in /aws/lambda/orders, correct it, and deploy again.
    ");
    assert_eq!(fakes.state().calls[0].event, r#"{"authorization":"Bearer s3cr3t-t0ken"}"#);
}

use std::time::Duration;

use insta::assert_snapshot;

use super::LoadHolds;
use crate::check::{Check, CheckContext};
use crate::checks::told::told;
use crate::deadline::Deadline;
use crate::fakes::{BLUE_GROUP, Fakes, GREEN_GROUP, answer, forward};
use crate::plan::Plan;
use crate::ports::{ProbeError, ProbeResponse};
use crate::stage::Stage;

fn check(load: &str) -> LoadHolds {
    let plan = format!(
        "version: 1\ntest_traffic:\n  requests: [{{ name: ready, get: /ready, expect: {{ json: {{ $.status: ready }} }} }}]\n  load: {{ {load} }}\n"
    );
    LoadHolds::from_plan(&Plan::parse(&plan, "plan.yaml").expect("a plan")).expect("it has a load")
}

const USUAL: &str = r#"rate: 50/s, for: 20s, expect: { errors: "< 0.1%", p99: "< 300ms" }"#;

fn world() -> (Fakes, CheckContext) {
    let fakes = Fakes::well();
    fakes.reply("/health", [Ok(answer(200, "ok"))]);
    let context = fakes.context(Stage::AfterAllowTestTraffic);
    (fakes, context)
}

fn ready() -> ProbeResponse {
    answer(200, r#"{"status": "ready"}"#)
}

fn slow(millis: u64) -> ProbeResponse {
    ProbeResponse { took: Duration::from_millis(millis), ..ready() }
}

/// The first answer that is not *not yet*.
async fn row(check: &LoadHolds, context: &CheckContext) -> String {
    loop {
        let row = told(check, context).await;
        if !row.starts_with("NOT YET") {
            return row;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn passes_when_green_answers_well_and_in_time() {
    let (fakes, context) = world();
    fakes.reply("/ready", [Ok(ready())]);
    let check = check(USUAL);
    assert_snapshot!(check.question(), @"Does green hold 50/s for 20s?");
    assert_snapshot!(row(&check, &context).await, @"
    PASSED
      1000 requests at 50/s for 20s: 0 failed (0.00 %, expected < 0.1%), p99 3 ms (expected < 300ms), longest 3 ms
    ");
    let sent = fakes.state().requests.iter().filter(|request| request.url.ends_with("/ready")).count();
    assert_eq!(sent, 1 + 1000, "one to see that it works, and the load");
}

#[tokio::test(start_paused = true)]
async fn fails_when_some_requests_fail_under_load() {
    let (fakes, context) = world();
    let mut replies = vec![Ok(ready()); 40];
    replies.push(Ok(answer(500, "too many connections")));
    fakes.reply("/ready", replies);
    assert_snapshot!(row(&check(USUAL), &context).await, @"
    FAILED
      stopped for certain after 40 of 1000 requests at 50/s: 1 failed (2.50 %, expected < 0.1%): 1 × answered 500, p99 3 ms (expected < 300ms), longest 3 ms
      do: Find out in green's log and metrics what fails at 50/s, and whether blue holds it.
    ");
}

#[tokio::test(start_paused = true)]
async fn fails_when_answers_are_late() {
    let (fakes, context) = world();
    let mut replies = vec![Ok(ready()); 200];
    replies.extend(vec![Ok(slow(450)); 11]);
    replies.push(Ok(ready()));
    fakes.reply("/ready", replies);
    assert_snapshot!(row(&check(USUAL), &context).await, @"
    FAILED
      stopped for certain after 232 of 1000 requests at 50/s: 0 failed (0.00 %, expected < 0.1%), p99 450 ms (expected < 300ms), longest 450 ms
      do: Find out in green's log and metrics what is slow at 50/s, and whether blue holds it.
    ");
}

#[tokio::test(start_paused = true)]
async fn fails_when_answers_come_and_say_something_else() {
    let (fakes, context) = world();
    fakes.reply("/ready", [Ok(ready()), Ok(answer(200, r#"{"status": "starting"}"#))]);
    let lax = check("rate: 50/s, for: 20s, expect: { errors: \"<= 1%\" }");
    assert_snapshot!(row(&lax, &context).await, @"
    FAILED
      stopped for certain after 11 of 1000 requests at 50/s: 11 failed (100.00 %, expected <= 1%): 11 × ready (GET /ready) not as expected, longest 3 ms
      do: Find out in green's log and metrics what fails at 50/s, and whether blue holds it.
    ");
}

#[tokio::test(start_paused = true)]
async fn tells_what_the_load_balancer_answered_itself() {
    let (fakes, context) = world();
    let mut busy = answer(503, "<html></html>");
    busy.headers.push(("server".to_owned(), "awselb/2.0".to_owned()));
    fakes.reply("/ready", [Ok(ready()), Ok(busy)]);
    assert_snapshot!(row(&check(USUAL), &context).await, @"
    FAILED
      stopped for certain after 1 of 1000 requests at 50/s: 1 failed (100.00 %, expected < 0.1%): 1 × 503 of the load balancer itself, p99 3 ms (expected < 300ms), longest 3 ms
      do: Find out in green's log and metrics what fails at 50/s, and whether blue holds it.
    ");
}

/// A load that reaches blue would be sent to users' own tasks.
#[tokio::test(start_paused = true)]
async fn sends_nothing_while_the_test_listener_leads_to_blue() {
    let (fakes, context) = world();
    fakes.reply("/ready", [Ok(ready())]);
    fakes.state().listeners[1].rules = vec![forward(&[(BLUE_GROUP, 10), (GREEN_GROUP, 90)])];
    assert_snapshot!(row(&check(USUAL), &context).await, @"
    FAILED
      no load was sent: the test listener HTTP :9001 sends 10 % to tg-blue and 90 % to tg-green, expected all to tg-green, 5 looks in a row
      do: Point every rule of the test listener for this service wholly at tg-green.
    ");
    assert!(fakes.state().requests.is_empty());
}

#[tokio::test(start_paused = true)]
async fn sends_nothing_while_a_single_request_is_not_answered_as_expected() {
    let (fakes, context) = world();
    fakes.reply("/ready", [Ok(answer(503, "db: connection refused"))]);
    assert_snapshot!(row(&check(USUAL), &context).await, @r#"
    FAILED
      no load was sent: ready (GET /ready) answered 503 with "db: connection refused", expected 2xx, 5 looks in a row
      do: Find out in green's log why ready (GET /ready) is not answered as expected.
    "#);
    assert!(fakes.state().requests.len() <= 10);
}

#[tokio::test(start_paused = true)]
async fn cannot_tell_when_the_function_ends_before_the_load() {
    let (fakes, context) = world();
    fakes.reply("/ready", [Ok(ready())]);
    let short = CheckContext { deadline: Deadline::after(Duration::from_secs(30)), ..context };
    assert_snapshot!(row(&check(USUAL), &short).await, @"
    CANNOT TELL
      a load for 20s: the function ends in 13 s
      do: Raise the function's timeout above `test_traffic.load.for`, or shorten that.
    ");
}

#[tokio::test(start_paused = true)]
async fn cannot_tell_when_the_listeners_cannot_be_read() {
    let (fakes, context) = world();
    fakes.state().unreachable = Some(true);
    assert_snapshot!(row(&check(USUAL), &context).await, @"
    CANNOT TELL
      listener arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/shop/aaaaaaaaaaaaaaaa/4444444444444444: the call was refused
      do: Allow the call in the function's role.
    ");
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_is_a_failed_one() {
    let (fakes, context) = world();
    let broken = ProbeError { reason: "the connection broke: reset by peer".to_owned(), refused: false };
    let mut replies = vec![Ok(ready()); 100];
    replies.push(Err(broken));
    fakes.reply("/ready", replies);
    assert_snapshot!(row(&check(USUAL), &context).await, @"
    FAILED
      stopped for certain after 100 of 1000 requests at 50/s: 1 failed (1.00 %, expected < 0.1%): 1 × the connection broke: reset by peer, p99 3 ms (expected < 300ms), longest 3 ms
      do: Find out in green's log and metrics what fails at 50/s, and whether blue holds it.
    ");
}

#[test]
fn it_is_not_asked_without_a_plan() {
    assert!(LoadHolds::from_plan(&Plan::defaults()).is_none());
}

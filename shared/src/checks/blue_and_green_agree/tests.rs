use insta::assert_snapshot;

use super::BlueAndGreenAgree;
use crate::check::{Check, CheckContext};
use crate::checks::told::told;
use crate::fakes::{BLUE_GROUP, Fakes, GREEN_GROUP, answer, forward};
use crate::plan::Plan;
use crate::ports::ProbeResponse;
use crate::stage::Stage;

fn check(compare: &str) -> BlueAndGreenAgree {
    let plan = format!(
        "version: 1\ntest_traffic:\n  requests: [{{ name: item, get: /item }}]\n  compare_with_blue: {{ {compare} }}\n"
    );
    BlueAndGreenAgree::from_plan(&Plan::parse(&plan, "plan.yaml").expect("a plan")).expect("it compares")
}

fn world(blue: &[ProbeResponse], green: &[ProbeResponse]) -> (Fakes, CheckContext) {
    let fakes = Fakes::well();
    fakes.reply(":80/item", blue.iter().cloned().map(Ok));
    fakes.reply(":9001/item", green.iter().cloned().map(Ok));
    let context = fakes.context(Stage::AfterAllowTestTraffic);
    (fakes, context)
}

/// The first answer that is not *not yet*.
async fn row(check: &BlueAndGreenAgree, context: &CheckContext) -> String {
    loop {
        let row = told(check, context).await;
        if !row.starts_with("NOT YET") {
            return row;
        }
    }
}

async fn of(compare: &str, blue: &[&str], green: &[&str]) -> String {
    let answers = |bodies: &[&str]| bodies.iter().map(|body| answer(200, body)).collect::<Vec<_>>();
    let (_, context) = world(&answers(blue), &answers(green));
    row(&check(compare), &context).await
}

#[tokio::test]
async fn passes_when_both_say_the_same() {
    let item = r#"{"id": 7, "price": {"amount": 10}}"#;
    let same = r#"{ "price": {"amount": 10.0}, "id": 7 }"#;
    assert_snapshot!(of("requests: [item]", &[item], &[same]).await, @"
    PASSED
      1 request answered alike by blue and green
    ");
    assert_snapshot!(check("requests: [item]").question(), @"Do blue and green answer alike to item (GET /item)?");
}

#[tokio::test]
async fn what_differs_between_blues_own_answers_is_noise() {
    let blue = [r#"{"id": 7, "at": 1, "seen": [1]}"#, r#"{"id": 7, "at": 2, "seen": [1, 2]}"#];
    assert_snapshot!(of("", &blue, &[r#"{"id": 7, "at": 3, "seen": []}"#]).await, @"
    PASSED
      1 request answered alike by blue and green; blue differs from itself at $.at and $.seen
    ");
}

/// Its value changes, but it is there.
#[tokio::test]
async fn fails_when_what_changes_is_missing() {
    let blue = [r#"{"id": 7}"#, r#"{"id": 8}"#];
    assert_snapshot!(of("", &blue, &[r#"{"order_id": 7}"#]).await, @"
    FAILED
      item (GET /item): $.id of blue was a number that changes, of green nothing; asked 3 times
      do: Mend green, or name what is meant to differ in `test_traffic.compare_with_blue.ignore`.
    ");
}

/// What changes with the second is the same in two answers of blue that come within it.
#[tokio::test]
async fn a_difference_by_chance_is_asked_again() {
    let (one, two) = (r#"{"at": "12:00:01"}"#, r#"{"at": "12:00:02"}"#);
    let (_, context) = world(
        &[answer(200, one), answer(200, one), answer(200, two)],
        &[answer(200, two), answer(200, r#"{"at": "12:00:03"}"#)],
    );
    let check = check("");
    let first = told(&check, &context).await;
    let second = told(&check, &context).await;
    assert_snapshot!(format!("{first}\n{second}"), @r#"
    NOT YET (again in 1100 ms)
      item (GET /item): $.at of blue was "12:00:01", of green "12:00:02"
      do: Mend green, or name what is meant to differ in `test_traffic.compare_with_blue.ignore`.
    PASSED
      1 request answered alike by blue and green; blue differs from itself at $.at
    "#);
}

#[tokio::test]
async fn fails_when_a_value_differs() {
    let blue = r#"{"id": 7, "price": 10, "tags": ["a", "b"]}"#;
    let rows = [
        of("", &[blue], &[r#"{"id": 7, "price": 12, "tags": ["a", "b"]}"#]).await,
        of("", &[blue], &[r#"{"id": 7, "tags": ["a", "b"]}"#]).await,
        of("", &[blue], &[r#"{"id": 7, "price": 10, "tags": ["a"]}"#]).await,
        of("", &[blue], &[r#"{"id": 7, "price": 10, "tags": ["a", "c"]}"#]).await,
        of(
            "",
            &[blue],
            &[r#"{"id": "7", "price": "10", "tags": "a long text, so that another difference is smaller"}"#],
        )
        .await,
        of("", &[blue], &["<html>"]).await,
    ];
    let rows = rows
        .join("\n")
        .replace("\n  do: Mend green, or name what is meant to differ in `test_traffic.compare_with_blue.ignore`.", "");
    assert_snapshot!(rows, @r#"
    FAILED
      item (GET /item): $.price of blue was 10, of green 12; asked 3 times
    FAILED
      item (GET /item): $.price of blue was 10, of green nothing; asked 3 times
    FAILED
      item (GET /item): $.tags of blue was 2 items, of green 1 item; asked 3 times
    FAILED
      item (GET /item): $.tags[1] of blue was "b", of green "c"; asked 3 times
    FAILED
      item (GET /item): $.id of blue was 7, of green "7"; $.price and $.tags differ too; asked 3 times
    FAILED
      item (GET /item): the body of blue was "{\"id\": 7, \"price\": 10, \"tags\": [\"a\", \"b\"]}", of green "<html>"; asked 3 times
    "#);
}

#[tokio::test]
async fn what_the_plan_ignores_and_what_green_adds_does_not_count() {
    let (blue, green) =
        (r#"{"version": 1, "items": [{"id": 1}]}"#, r#"{"version": 2, "items": [{"id": 2}], "note": ""}"#);
    let ignoring = "ignore: [$.version, \"$.items[*].id\"]";
    assert_snapshot!(of(ignoring, &[blue], &[green]).await, @"
    PASSED
      1 request answered alike by blue and green; only green has $.note
    ");
}

#[tokio::test]
async fn fails_when_status_or_a_telling_header_differs() {
    let (_, context) = world(&[answer(200, "{}")], &[answer(404, "{}")]);
    let status = row(&check(""), &context).await;
    let mut html = answer(200, "{}");
    html.headers = vec![("content-type".to_owned(), "text/html".to_owned()), ("date".to_owned(), "now".to_owned())];
    let (_, context) = world(&[answer(200, "{}")], &[html]);
    let header = row(&check(""), &context).await;
    let ignored = row(&check("ignore_headers: [Content-Type]"), &context).await;
    assert_snapshot!([status, header, ignored].join("\n"), @r#"
    FAILED
      item (GET /item): the status of blue was 200, of green 404; asked 3 times
      do: Mend green, or name what is meant to differ in `test_traffic.compare_with_blue.ignore`.
    FAILED
      item (GET /item): header content-type of blue was "application/json", of green "text/html"; asked 3 times
      do: Mend green, or name what is meant to differ in `test_traffic.compare_with_blue.ignore`.
    PASSED
      1 request answered alike by blue and green
    "#);
}

#[tokio::test]
async fn a_secret_is_not_quoted() {
    let told = of("", &[r#"{"token": "hunter2"}"#], &[r#"{"token": "hunter3"}"#]).await;
    assert!(!told.contains("hunter"), "{told}");
    assert_snapshot!(told, @"
    FAILED
      item (GET /item): $.token of blue was one value, of green another value; asked 3 times
      do: Mend green, or name what is meant to differ in `test_traffic.compare_with_blue.ignore`.
    ");
}

#[tokio::test]
async fn cannot_tell_when_blue_cannot_be_asked() {
    let mut busy = answer(502, "<html></html>");
    busy.headers.push(("server".to_owned(), "awselb/2.0".to_owned()));
    let (_, context) = world(&[busy], &[answer(200, "{}")]);
    assert_snapshot!(row(&check(""), &context).await, @"
    CANNOT TELL
      the load balancer itself answered item (GET /item) on HTTP :80 with 502: the target closed the connection or answered nonsense, 5 tries in a row
      do: Look at the health of the targets behind this listener.
    ");
}

/// What is sent to green by mistake would be compared with green.
#[tokio::test]
async fn cannot_tell_when_a_listener_leads_elsewhere() {
    let (fakes, context) = world(&[answer(200, "{}")], &[answer(200, "{}")]);
    fakes.state().listeners[0].rules = vec![forward(&[(BLUE_GROUP, 90), (GREEN_GROUP, 10)])];
    assert_snapshot!(row(&check(""), &context).await, @"
    CANNOT TELL
      listener HTTP :80 sends 90 % to tg-blue and 10 % to tg-green, expected all to tg-blue, 5 tries in a row
      do: Point every rule of this listener for this service wholly at tg-blue.
    ");
    assert!(fakes.state().requests.is_empty());
}

#[test]
fn it_is_not_asked_without_a_plan() {
    assert!(BlueAndGreenAgree::from_plan(&Plan::defaults()).is_none());
}

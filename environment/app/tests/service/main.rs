//! What the service promises, asked of the binary itself.
#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod postgres;
mod task;

use std::io::Read;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::postgres::Postgres;
use crate::task::{Task, get, post, receive, send};

const ORDER: &str = r#"{"sku":"A1","quantity":2}"#;
const NOTED: &str = r#"{"sku":"A1","quantity":2,"note":"leave at the door"}"#;

#[test]
fn every_answer_says_which_version_gave_it() {
    let (_task, address) = Task::listening(&[("VERSION", "42"), ("COLOUR", "green")]);
    for path in ["/", "/health", "/version", "/orders", "/orders/0", "/nowhere"] {
        let answer = get(address, path);
        assert!(answer.head.contains("\r\nx-version: 42"), "{path}: {}", answer.head);
    }
    assert_eq!(get(address, "/").body, "orders 42\n");
    assert_eq!(get(address, "/health").json(), json!({ "status": "healthy", "version": "42" }));
    assert_eq!(get(address, "/version").json(), json!({ "version": "42", "colour": "green" }));
}

/// ECS runs it inside the container, with the task's own variables.
#[test]
fn a_task_can_be_asked_from_within_how_it_is() {
    let health = |port: &str, host: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_orders"));
        let done = command.arg("health").env_clear().env("PORT", port).env("HOST", host).output().unwrap();
        (done.status.code(), String::from_utf8(done.stderr).unwrap())
    };
    let (task, address) = Task::listening(&[("HOST", "0.0.0.0")]);
    let port = address.port().to_string();
    assert_eq!(health(&port, "0.0.0.0"), (Some(0), String::new()));
    drop(task);
    let (code, said) = health(&port, "0.0.0.0");
    assert_eq!(code, Some(1));
    assert!(said.contains(&format!("127.0.0.1:{port} did not answer")), "{said}");
    let (_ill, address) = Task::listening(&[("FAULT", "health-500")]);
    let (code, said) = health(&address.port().to_string(), "127.0.0.1");
    assert!(code == Some(1) && said.contains("answered HTTP/1.0 500"), "{said}");
}

#[test]
fn without_a_database_orders_live_in_memory_and_ready_says_so() {
    let (_task, address) = Task::listening(&[]);
    assert_eq!(
        get(address, "/ready").json(),
        json!({ "status": "ready", "note": "no database: orders live in memory" })
    );
    let placed = post(address, "/orders", ORDER);
    assert_eq!((placed.status, placed.json()), (201, json!({ "id": 1, "sku": "A1", "quantity": 2 })));
    assert_eq!(get(address, "/orders/1").json(), placed.json());
    assert_eq!(get(address, "/orders").json(), json!([placed.json()]));
    assert_eq!(get(address, "/orders/2").status, 404);
}

#[test]
fn an_order_that_makes_no_sense_is_refused_with_a_reason() {
    let (_task, address) = Task::listening(&[]);
    let refused = post(address, "/orders", r#"{"sku":"A1","quantity":0}"#);
    assert_eq!((refused.status, refused.json()), (422, json!({ "error": "quantity must be from 1 to 10000" })));
    assert_eq!(post(address, "/orders", r#"{"sku":"","quantity":1}"#).status, 422);
    assert_eq!(post(address, "/orders", r#"{"sku":"A1","quantity":1,"colour":"red"}"#).status, 422);
    assert_eq!(post(address, "/orders", "{").status, 400);
}

#[test]
fn the_last_twenty_orders_are_listed_newest_first() {
    let (_task, address) = Task::listening(&[]);
    for _ in 0..22 {
        assert_eq!(post(address, "/orders", ORDER).status, 201);
    }
    let listed = get(address, "/orders").json();
    let ids: Vec<_> = listed.as_array().unwrap().iter().map(|order| order["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, (3..=22).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn version_1_keeps_serving_while_and_after_the_migrations_run() {
    let postgres = Postgres::start().await;
    postgres.migrate("0001_orders.sql").await;
    let (_task, address) = Task::listening(&[("VERSION", "1"), ("DATABASE_URL", &postgres.url())]);
    let first = post(address, "/orders", ORDER);
    assert_eq!((first.status, first.json()), (201, json!({ "id": 1, "sku": "A1", "quantity": 2 })));
    for file in ["0002_order_note.sql", "0003_orders_by_time.sql"] {
        postgres.migrate(file).await;
        assert_eq!(get(address, "/orders/1").json(), first.json());
        assert_eq!(post(address, "/orders", ORDER).status, 201);
    }
    assert_eq!(get(address, "/orders").json().as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn version_2_serves_before_its_migration_and_uses_the_column_once_it_is_there() {
    let postgres = Postgres::start().await;
    postgres.migrate("0001_orders.sql").await;
    let (_task, address) = Task::listening(&[("VERSION", "2"), ("DATABASE_URL", &postgres.url())]);
    assert_eq!(get(address, "/ready").json(), json!({ "status": "ready" }));
    let before = post(address, "/orders", NOTED);
    assert_eq!((before.status, before.json()), (201, json!({ "id": 1, "sku": "A1", "quantity": 2 })));
    postgres.migrate("0002_order_note.sql").await;
    let after = post(address, "/orders", NOTED);
    assert_eq!(after.json(), json!({ "id": 2, "sku": "A1", "quantity": 2, "note": "leave at the door" }));
    assert_eq!(get(address, "/orders").json(), json!([after.json(), before.json()]));
}

/// A task definition fills the parts from the fields of one secret.
#[tokio::test]
async fn the_database_may_be_named_by_postgresqls_own_variables() {
    let postgres = Postgres::start().await;
    postgres.migrate("0001_orders.sql").await;
    let folder = postgres.folder();
    let parts =
        [("PGHOST", folder.as_str()), ("PGUSER", "orders"), ("PGPASSWORD", "s3cret"), ("PGDATABASE", "postgres")];
    let (_task, address) = Task::listening(&parts);
    assert_eq!(get(address, "/ready").json(), json!({ "status": "ready" }));
    assert_eq!(post(address, "/orders", ORDER).status, 201);
}

#[tokio::test]
async fn a_request_that_is_being_answered_is_finished_after_sigterm() {
    let postgres = Postgres::start().await;
    postgres.migrate("0001_orders.sql").await;
    let (mut task, address) = Task::listening(&[("DATABASE_URL", &postgres.url())]);
    let mut holder = postgres.pool.begin().await.unwrap();
    sqlx::query("lock table orders in access exclusive mode").execute(&mut *holder).await.unwrap();
    let waiting = send(address, "POST", "/orders", ORDER);
    let blocked = "select count(*) from pg_locks where not granted";
    while sqlx::query_scalar::<_, i64>(blocked).fetch_one(&postgres.pool).await.unwrap() == 0 {}

    task.terminate();
    assert!(task.line().contains("was told to stop"));
    holder.rollback().await.unwrap();

    assert_eq!(receive(waiting).status, 201);
    assert!(task.ends().success());
    assert!(task.line().contains("stopped"));
}

#[test]
fn a_database_that_is_away_makes_the_task_not_ready_but_healthy_and_its_password_stays_secret() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("postgres://orders:s3cret@{closed}/orders");
    let (mut task, address) = Task::listening(&[("DATABASE_URL", &url)]);
    let ready = get(address, "/ready");
    assert_eq!((ready.status, ready.json()["status"].as_str()), (503, Some("not ready")));
    assert_eq!(get(address, "/health").status, 200);
    let placed = post(address, "/orders", ORDER);
    assert_eq!(placed.status, 503);
    task.terminate();
    assert!(task.ends().success());
    for text in [ready.body, placed.body, task.rest_of_log()] {
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[test]
fn each_fault_spoils_its_own_answer_only() {
    let status = |fault: &str| {
        let (_task, address) = Task::listening(&[("FAULT", fault)]);
        (
            get(address, "/health").status,
            get(address, "/ready").status,
            post(address, "/orders", ORDER).status,
            get(address, "/orders").status,
        )
    };
    assert_eq!(status("health-500"), (500, 200, 201, 200));
    assert_eq!(status("ready-503"), (200, 503, 201, 200));
    assert_eq!(status("orders-500"), (200, 200, 500, 200));
}

#[test]
fn wrong_schema_renames_the_id_of_an_order() {
    let (_task, address) = Task::listening(&[("FAULT", "wrong-schema")]);
    assert_eq!(post(address, "/orders", ORDER).json(), json!({ "order_id": 1, "sku": "A1", "quantity": 2 }));
}

#[test]
fn slow_delays_every_answer() {
    let (_task, address) = Task::listening(&[("FAULT", "slow=60ms")]);
    let asked = Instant::now();
    assert_eq!(get(address, "/health").status, 200);
    assert!(asked.elapsed() >= Duration::from_millis(60));
}

#[test]
fn hang_accepts_and_never_answers() {
    let (_task, address) = Task::listening(&[("FAULT", "hang")]);
    let mut connection = send(address, "GET", "/health", "");
    connection.set_read_timeout(Some(Duration::from_millis(150))).unwrap();
    let error = connection.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn crash_after_one_answers_once_and_ends_with_code_7() {
    let (mut task, address) = Task::listening(&[("FAULT", "crash-after=1")]);
    assert_eq!(get(address, "/health").status, 200);
    let mut nothing = Vec::new();
    // Closed or reset, as the kernel likes; an answer it is not.
    let _ = send(address, "GET", "/health", "").read_to_end(&mut nothing);
    assert!(nothing.is_empty());
    assert_eq!(task.ends().code(), Some(7));
}

#[test]
fn exit_at_start_ends_with_code_3_and_says_why() {
    let mut task = Task::start(&[("FAULT", "exit-at-start")]);
    assert_eq!(task.ends().code(), Some(3));
    assert!(task.line().contains("fault: exit-at-start"));
}

#[test]
fn never_listen_runs_until_it_is_told_to_stop() {
    let mut task = Task::start(&[("FAULT", "never-listen")]);
    assert!(task.line().contains("never listens"));
    task.terminate();
    assert!(task.ends().success());
}

#[test]
fn a_misspelt_fault_ends_with_code_2_and_names_the_valid_ones() {
    let mut task = Task::start(&[("FAULT", "helth-500")]);
    assert_eq!(task.ends().code(), Some(2));
    assert!(task.line().contains("FAULT names \"helth-500\"; one of these is expected: bad-under-load=N"));
}

#[test]
fn a_port_in_use_ends_with_code_1_and_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut task = Task::start(&[("PORT", &port)]);
    assert_eq!(task.ends().code(), Some(1));
    assert!(task.line().contains(&format!("cannot listen on 127.0.0.1:{port}")));
}

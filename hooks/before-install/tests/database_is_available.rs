//! The check against a real PostgreSQL with real certificates.

use std::path::Path;

use before_install::DatabaseIsAvailable;
use greenlight::Check;
use greenlight::check::{Answer, CannotTell};
use greenlight::fakes::Fakes;
use greenlight::plan::Plan;
use greenlight::ports::Database;
use greenlight::stage::Stage;
use greenlight_database::locate::FurtherRoots;
use insta::assert_snapshot;
use rehearsal::postgres::{Postgres, Shown};
use sqlx::{Connection, PgConnection};

const PLAN: &str = "version: 1\ndatabase: { cluster: orders, secret: shop/migrator }\n";

/// A server, and what RDS and Secrets Manager say of it.
struct World {
    postgres: Postgres,
    fakes: Fakes,
}

impl World {
    async fn with(shown: Shown) -> Self {
        let postgres = Postgres::start_showing(None, shown).await.expect("PostgreSQL starts");
        let fakes = Fakes::well();
        let secret = serde_json::json!({
            "username": postgres.user(), "password": postgres.password(), "dbname": "postgres", "sslmode": "verify-full",
            "host": "what.rds.says.wins.example",
        });
        fakes.state().secrets.insert("shop/migrator".to_owned(), secret.to_string());
        fakes.state().databases.push(Database {
            kind: "instance",
            identifier: "orders".to_owned(),
            engine: "postgres".to_owned(),
            status: "backing-up".to_owned(),
            resource_id: None,
            iam_authentication: None,
            applications: None,
            writer: Some((postgres.host().to_owned(), postgres.port())),
        });
        Self { postgres, fakes }
    }

    fn check(&self) -> DatabaseIsAvailable {
        let roots = std::fs::read(self.postgres.authority()).expect("the authority is there");
        DatabaseIsAvailable::trusting(&Plan::parse(PLAN, "plan.yaml").expect("a plan"), FurtherRoots::these(roots))
    }

    async fn row(&self, check: &DatabaseIsAvailable) -> String {
        let told = tell(check.ask(&self.fakes.context(Stage::BeforeInstall)).await);
        told.replace(&format!(":{}", self.postgres.port()), ":5432")
    }

    async fn end(self) {
        self.postgres.stop().await;
    }
}

fn tell(answer: Result<Answer, CannotTell>) -> String {
    match answer {
        Ok(Answer::Yes { evidence }) => format!("PASSED {evidence}"),
        Ok(Answer::No { evidence, .. }) => format!("FAILED {evidence}"),
        Ok(Answer::NotYet { evidence, .. }) => format!("NOT YET {evidence}"),
        Err(unknown) => format!("CANNOT TELL {}", greenlight::report::words::chain(&unknown)),
    }
}

#[tokio::test]
async fn a_verified_writer_passes() {
    let world = World::with(Shown::Trusted).await;
    assert_snapshot!(world.row(&world.check()).await, @"PASSED instance orders is backing-up; postgres on 127.0.0.1:5432 was reached over TLSv1.3 with a verified certificate as postgres, and takes writes");
    world.end().await;
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_or_another_name_fails() {
    for shown in [Shown::OfAnotherAuthority, Shown::ForAnotherName] {
        let world = World::with(shown).await;
        let row = world.row(&world.check()).await;
        match shown {
            Shown::OfAnotherAuthority => {
                assert_snapshot!(row, @"FAILED postgres on 127.0.0.1:5432: no trusted connection: invalid peer certificate: UnknownIssuer")
            }
            _ => {
                assert_snapshot!(row, @r#"FAILED postgres on 127.0.0.1:5432: no trusted connection: invalid peer certificate: certificate not valid for name "127.0.0.1"; certificate is only valid for DnsName("other.database.internal")"#)
            }
        }
        world.end().await;
    }
}

/// Without the run's authority nobody is trusted but RDS and the public ones.
#[tokio::test]
async fn the_built_in_roots_do_not_vouch_for_everybody() {
    let world = World::with(Shown::Trusted).await;
    let plan = Plan::parse(PLAN, "plan.yaml").expect("a plan");
    let row = world.row(&DatabaseIsAvailable::trusting(&plan, FurtherRoots::NONE)).await;
    assert!(row.starts_with("FAILED postgres on 127.0.0.1:5432: no trusted connection"), "{row}");
    world.end().await;
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_looked_at_again_and_then_fails() {
    let world = World::with(Shown::Trusted).await;
    let mut admin = PgConnection::connect(&world.postgres.url("postgres")).await.expect("the server is there");
    let sql = "ALTER DATABASE postgres SET default_transaction_read_only = on";
    sqlx::raw_sql(sql).execute(&mut admin).await.expect("the superuser may");
    let check = world.check();
    let mut rows = Vec::new();
    for _ in 0..4 {
        rows.push(world.row(&check).await);
    }
    rows.dedup();
    assert_snapshot!(rows.join("\n"), @"
    NOT YET postgres on 127.0.0.1:5432 is read-only (default_transaction_read_only): nothing can be migrated there
    FAILED postgres on 127.0.0.1:5432 is read-only (default_transaction_read_only): nothing can be migrated there
    ");
    world.end().await;
}

#[tokio::test]
async fn a_wrong_password_fails_and_is_not_shown() {
    let world = World::with(Shown::Trusted).await;
    let secret = r#"{"username":"postgres","password":"hunter2","dbname":"postgres","sslmode":"verify-full"}"#;
    world.fakes.state().secrets.insert("shop/migrator".to_owned(), secret.to_owned());
    assert_snapshot!(world.row(&world.check()).await, @r#"FAILED postgres on 127.0.0.1:5432 refused user postgres: password authentication failed for user "postgres" (SQLSTATE 28P01)"#);
    world.end().await;
}

#[tokio::test]
async fn a_database_that_nobody_reaches_cannot_be_told() {
    let fakes = Fakes::well();
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
    let secret = format!(r#"{{"username":"a","password":"b","dbname":"d","host":"127.0.0.1","port":{port}}}"#);
    fakes.state().secrets.insert("shop/migrator".to_owned(), secret);
    let plan = Plan::parse("version: 1\ndatabase: { secret: shop/migrator }\n", "plan.yaml").expect("a plan");
    let check = DatabaseIsAvailable::trusting(&plan, FurtherRoots::NONE);
    let told = tell(check.ask(&fakes.context(Stage::BeforeInstall)).await);
    assert!(told.starts_with("CANNOT TELL d on 127.0.0.1:"), "{told}");
    fakes.state().unreachable = Some(false);
    assert_snapshot!(tell(check.ask(&fakes.context(Stage::BeforeInstall)).await), @"CANNOT TELL secret shop/migrator: the call was refused");
}

#[tokio::test]
async fn without_a_database_in_the_plan_there_is_nothing_to_ask() {
    let check = DatabaseIsAvailable::trusting(&Plan::defaults(), FurtherRoots::NONE);
    assert_snapshot!(tell(check.ask(&Fakes::well().context(Stage::BeforeInstall)).await), @"PASSED the plan names no database");
}

#[test]
fn its_page_begins_with_its_question() {
    let check = DatabaseIsAvailable::trusting(&Plan::defaults(), FurtherRoots::NONE);
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/checks/database-is-available.md");
    let page = std::fs::read_to_string(page).expect("it has a page");
    assert!(page.starts_with(&format!("# {}\n\n**{}**\n", check.id(), check.question())));
}

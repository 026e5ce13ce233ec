//! database-is-available against a real MariaDB with real certificates.

use before_install::DatabaseIsAvailable;
use greenlight::Check;
use greenlight::check::Answer;
use greenlight::fakes::Fakes;
use greenlight::plan::Plan;
use greenlight::ports::Database;
use greenlight::stage::Stage;
use greenlight_database::locate::FurtherRoots;
use insta::assert_snapshot;
use rehearsal::mariadb::MariaDb;
use rehearsal::postgres::Shown;
use sqlx::Connection;

const PLAN: &str = "version: 1\ndatabase: { cluster: orders, secret: shop/migrator }\n";

/// A server, and what RDS and Secrets Manager say of it. As RDS itself keeps a password, the secret says no engine.
async fn world(shown: Shown, password: Option<&str>) -> (MariaDb, Fakes) {
    let server = MariaDb::start(None, shown).await.expect("MariaDB starts");
    server.create_database("orders").await.expect("it is new");
    let fakes = Fakes::well();
    let password = password.unwrap_or(server.password());
    let secret = serde_json::json!({
        "username": server.user(), "password": password, "dbname": "orders", "sslmode": "verify-full", "host": "ignored",
    });
    fakes.state().secrets.insert("shop/migrator".to_owned(), secret.to_string());
    fakes.state().databases.push(Database {
        kind: "cluster",
        identifier: "orders".to_owned(),
        engine: "aurora-mysql".to_owned(),
        status: "available".to_owned(),
        resource_id: None,
        iam_authentication: None,
        applications: None,
        writer: Some((server.host().to_owned(), server.port())),
    });
    (server, fakes)
}

fn check(server: &MariaDb) -> DatabaseIsAvailable {
    let roots = std::fs::read(server.authority()).expect("the authority is there");
    DatabaseIsAvailable::trusting(&Plan::parse(PLAN, "plan.yaml").expect("a plan"), FurtherRoots::these(roots))
}

async fn row(server: &MariaDb, fakes: &Fakes, check: &DatabaseIsAvailable) -> String {
    let told = match check.ask(&fakes.context(Stage::BeforeInstall)).await {
        Ok(Answer::Yes { evidence }) => format!("PASSED {evidence}"),
        Ok(Answer::No { evidence, .. }) => format!("FAILED {evidence}"),
        Ok(Answer::NotYet { evidence, .. }) => format!("NOT YET {evidence}"),
        Err(unknown) => format!("CANNOT TELL {}", greenlight::report::words::chain(&unknown)),
    };
    told.replace(&format!(":{}", server.port()), ":3306")
}

#[tokio::test]
async fn a_verified_writer_passes() {
    let (server, fakes) = world(Shown::Trusted, None).await;
    assert_snapshot!(row(&server, &fakes, &check(&server)).await, @"PASSED cluster orders is available; orders on 127.0.0.1:3306 was reached over TLSv1.3 with a verified certificate as greenlight, and takes writes");
    server.stop().await;
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_or_another_name_fails() {
    let (server, fakes) = world(Shown::OfAnotherAuthority, None).await;
    assert_snapshot!(row(&server, &fakes, &check(&server)).await, @"FAILED orders on 127.0.0.1:3306: no trusted connection: invalid peer certificate: UnknownIssuer");
    server.stop().await;
    let (server, fakes) = world(Shown::ForAnotherName, None).await;
    assert_snapshot!(row(&server, &fakes, &check(&server)).await, @r#"FAILED orders on 127.0.0.1:3306: no trusted connection: invalid peer certificate: certificate not valid for name "127.0.0.1"; certificate is only valid for DnsName("other.database.internal")"#);
    server.stop().await;
}

#[tokio::test]
async fn a_wrong_password_fails_and_is_not_shown() {
    let (server, fakes) = world(Shown::Trusted, Some("hunter2")).await;
    assert_snapshot!(row(&server, &fakes, &check(&server)).await, @"FAILED orders on 127.0.0.1:3306 refused user greenlight: Access denied for user 'greenlight'@'127.0.0.1' (using password: YES) (error 1045, SQLSTATE 28000)");
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_looked_at_again_and_then_fails() {
    let (server, fakes) = world(Shown::Trusted, None).await;
    let mut admin = server.connect(None).await.expect("the server is there");
    sqlx::raw_sql("SET GLOBAL read_only = ON").execute(&mut admin).await.expect("the user may");
    admin.close().await.expect("it says goodbye");
    let (check, mut rows) = (check(&server), Vec::new());
    for _ in 0..4 {
        rows.push(row(&server, &fakes, &check).await);
    }
    rows.dedup();
    assert_snapshot!(rows.join("\n"), @"
    NOT YET orders on 127.0.0.1:3306 is a replica or read-only (read_only): nothing can be migrated there
    FAILED orders on 127.0.0.1:3306 is a replica or read-only (read_only): nothing can be migrated there
    ");
    server.stop().await;
}

//! One database, one folder of migrations, one check.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use before_allow_traffic::migrations::folder;
use before_allow_traffic::migrations::source::Source;
use before_allow_traffic::migrations_apply::MigrationsApply;
use before_allow_traffic::settings::Settings;
use greenlight::check::{Answer, CannotTell, Check, CheckContext};
use greenlight::deadline::Deadline;
use greenlight::fakes::Fakes;
use greenlight::plan::Credentials;
use greenlight::stage::Stage;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions};
use tempfile::TempDir;

pub(crate) use crate::patience::{chain, until};
use crate::server::{PASSWORD, USER, server};

/// One database, one folder of migrations, one check.
pub(crate) struct World {
    pub(crate) database: String,
    pub(crate) folder: TempDir,
    pub(crate) context: CheckContext,
    pub(crate) fakes: Fakes,
    pub(crate) settings: Settings,
}

impl World {
    /// An empty database, and these files.
    pub(crate) async fn with(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let database = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut admin = options("postgres").connect().await.expect("the server is there");
        run(&mut admin, &format!("CREATE DATABASE {database}")).await;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let fakes = Fakes::well();
        let secret = format!(
            r#"{{"engine":"postgres","username":"{USER}","password":"{PASSWORD}","host":"127.0.0.1","port":{},"dbname":"{database}"}}"#,
            server().port
        );
        fakes.state().secrets.insert("orders/migrator".to_owned(), secret);
        let source = Source::Packaged(folder.path().to_owned());
        let settings = Settings {
            lock_timeout: Duration::from_millis(100),
            ..Settings::new(source, Credentials::Secret("orders/migrator".to_owned()))
        };
        let context = fakes.context(Stage::BeforeAllowTraffic);
        let world = Self { database, folder, context, fakes, settings };
        for (name, sql) in files {
            world.write(name, sql);
        }
        world
    }

    pub(crate) fn write(&self, name: &str, sql: &str) {
        std::fs::write(self.folder.path().join(name), sql).expect("the folder takes files");
    }

    /// The checksum of a file, as the plan names it.
    pub(crate) fn checksum(&self, name: &str) -> String {
        let files = folder::read(self.folder.path()).expect("a sound folder");
        let file = files.iter().find(|file| file.name == name).expect("the file is there");
        file.checksum.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.folder.path().join(name)).expect("the file is there");
    }

    pub(crate) fn set_time_left(&mut self, left: Duration) {
        self.context.deadline = Deadline::after(left);
    }

    pub(crate) fn check(&self) -> Arc<MigrationsApply> {
        Arc::new(MigrationsApply::new(self.settings.clone(), Arc::default()))
    }

    /// Asks once.
    pub(crate) async fn ask(&self) -> Result<Answer, CannotTell> {
        self.check().ask(&self.context).await
    }

    /// Asks as the hook does: again for as long as that may help.
    pub(crate) async fn settle(&self) -> Answer {
        let check = self.check();
        until(async || match check.ask(&self.context).await {
            Ok(Answer::NotYet { .. }) => None,
            Ok(answer) => Some(answer),
            Err(unknown) => {
                assert!(unknown.transient, "{}", chain(&unknown));
                None
            }
        })
        .await
    }

    pub(crate) async fn yes(&self) -> String {
        match self.settle().await {
            Answer::Yes { evidence } => evidence,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn no(&self) -> (String, String) {
        match self.settle().await {
            Answer::No { evidence, remedy } => (evidence, remedy),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        options(&self.database).connect().await.expect("the database is there")
    }

    pub(crate) async fn run(&self, sql: &str) {
        run(&mut self.connect().await, sql).await;
    }

    /// The only column of all rows, as text.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<String> {
        let sql = format!("SELECT x::text FROM ({sql}) AS found(x)");
        let query = sqlx::query_scalar(AssertSqlSafe(sql));
        query.fetch_all(&mut self.connect().await).await.expect("a query that works")
    }

    /// What sqlx itself makes of the folder.
    pub(crate) async fn sqlx(&self) -> Result<(), MigrateError> {
        let migrator = Migrator::new(self.folder.path()).await?;
        migrator.run_direct(None, &mut self.connect().await, false).await
    }

    /// Waits until a statement of the hook stands before the closed gate (see [`Gate`]).
    pub(crate) async fn reached_gate(&self) {
        let sql = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        until(async || (!self.rows(sql).await.is_empty()).then_some(())).await;
    }
}

/// A lock that a migration waits for with `SELECT pg_advisory_xact_lock(7)`; open once it is dropped.
pub(crate) struct Gate(#[expect(dead_code, reason = "the connection is the lock")] PgConnection);

impl Gate {
    pub(crate) async fn closed(world: &World) -> Self {
        let mut connection = world.connect().await;
        run(&mut connection, "SELECT pg_advisory_lock(7)").await;
        Self(connection)
    }
}

pub(crate) async fn run(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.expect("SQL that works");
}

fn options(database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(server().port)
        .username(USER)
        .password(PASSWORD)
        .database(database)
        .application_name("a test")
        .ssl_mode(PgSslMode::Disable)
}

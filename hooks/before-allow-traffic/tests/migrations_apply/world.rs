//! One database, one folder of migrations, one check.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use before_allow_traffic::migrations::folder;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions};

use crate::asked::Asked;
pub(crate) use crate::patience::{chain, until};
use crate::server::{PASSWORD, USER, server};

/// One database, one folder of migrations, one check.
pub(crate) struct World {
    pub(crate) database: String,
    pub(crate) asked: Asked,
}

impl Deref for World {
    type Target = Asked;

    fn deref(&self) -> &Asked {
        &self.asked
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Asked {
        &mut self.asked
    }
}

impl World {
    /// An empty database, and these files.
    pub(crate) async fn with(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let database = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut admin = options("postgres").connect().await.expect("the server is there");
        run(&mut admin, &format!("CREATE DATABASE {database}")).await;
        let secret = format!(
            r#"{{"engine":"postgres","username":"{USER}","password":"{PASSWORD}","host":"127.0.0.1","port":{},"dbname":"{database}"}}"#,
            server().port
        );
        let asked = Asked::new(files, secret, Duration::from_millis(100));
        Self { database, asked }
    }

    /// The checksum of a file, as the plan names it.
    pub(crate) fn checksum(&self, name: &str) -> String {
        let files = folder::read(self.folder.path()).expect("a sound folder");
        let file = files.iter().find(|file| file.name == name).expect("the file is there");
        file.checksum.iter().map(|byte| format!("{byte:02x}")).collect()
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

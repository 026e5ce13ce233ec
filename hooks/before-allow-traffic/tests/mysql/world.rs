//! One database, one folder of migrations, one check.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions};

use crate::asked::Asked;
pub(crate) use crate::patience::{chain, until};
use crate::server::{PASSWORD, USER, server};

/// One database, one folder of migrations, one check.
pub(crate) struct World {
    pub(crate) port: u16,
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
        Self::at(server().port, files).await
    }

    /// The same on another server.
    pub(crate) async fn at(port: u16, files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let database = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        // The port is open before the first statements have made the user.
        let mut admin = until(async || options(port, "admin").connect().await.ok()).await;
        run(&mut admin, &format!("CREATE DATABASE {database} CHARACTER SET utf8mb4")).await;
        let secret = format!(
            r#"{{"engine":"mariadb","username":"{USER}","password":"{PASSWORD}","host":"127.0.0.1","port":{port},"dbname":"{database}","sslmode":"disable"}}"#
        );
        let asked = Asked::new(files, secret, Duration::from_secs(1));
        Self { port, database, asked }
    }

    pub(crate) async fn connect(&self) -> MySqlConnection {
        options(self.port, &self.database).connect().await.expect("the database is there")
    }

    pub(crate) async fn run(&self, sql: &str) {
        run(&mut self.connect().await, sql).await;
    }

    /// The only column of all rows, as text.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<String> {
        let sql = format!("WITH found(x) AS ({sql}) SELECT CAST(x AS CHAR) FROM found");
        let query = sqlx::query_scalar(AssertSqlSafe(sql));
        query.fetch_all(&mut self.connect().await).await.expect("a query that works")
    }

    /// Tables of this database.
    pub(crate) async fn tables(&self) -> Vec<String> {
        self.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1").await
    }

    /// What sqlx itself makes of the folder.
    pub(crate) async fn sqlx(&self) -> Result<(), MigrateError> {
        let migrator = Migrator::new(self.folder.path()).await?;
        migrator.run_direct(None, &mut self.connect().await, false).await
    }

    /// A statement that waits for the gate (see [`Gate`]).
    pub(crate) fn gate(&self) -> String {
        format!("DO GET_LOCK('gate_{}', 60);\n", self.database)
    }

    /// Waits until a statement of the hook stands before the closed gate; the number of its session.
    pub(crate) async fn reached_gate(&self) -> String {
        self.session_of("state = 'User lock'").await
    }

    /// Waits until the hook runs a statement of a migration of which this is true; the number of its session.
    pub(crate) async fn running(&self, condition: &str) -> String {
        self.session_of(&format!("info LIKE '/* greenlight%' AND {condition}")).await
    }

    async fn session_of(&self, condition: &str) -> String {
        let sql = format!(
            "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID() AND {condition}"
        );
        until(async || self.rows(&sql).await.pop()).await
    }
}

/// A lock that a migration waits for with [`World::gate`]; open once it is dropped.
pub(crate) struct Gate(#[expect(dead_code, reason = "the connection is the lock")] MySqlConnection);

impl Gate {
    pub(crate) async fn closed(world: &World) -> Self {
        let mut connection = world.connect().await;
        run(&mut connection, &world.gate()).await;
        Self(connection)
    }
}

pub(crate) async fn run(connection: &mut MySqlConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.expect("SQL that works");
}

fn options(port: u16, database: &str) -> MySqlConnectOptions {
    MySqlConnectOptions::new()
        .host("127.0.0.1")
        .port(port)
        .username(USER)
        .password(PASSWORD)
        .database(database)
        .ssl_mode(MySqlSslMode::Disabled)
}

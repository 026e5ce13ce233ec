//! The database of a service: a real PostgreSQL or a real MariaDB.

use std::path::Path;

use anyhow::Result;
use schemars::JsonSchema;
use serde::Deserialize;
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;

use crate::database_certificate::Shown;
use crate::mariadb::MariaDb;
use crate::postgres::Postgres;
use crate::reaper::Reaper;

/// Which one.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// PostgreSQL.
    Postgres,
    /// MariaDB, which stands for MySQL too.
    MariaDb,
}

/// A running server.
pub enum Database {
    /// PostgreSQL.
    Postgres(Postgres),
    /// MariaDB.
    MariaDb(MariaDb),
}

/// A row of `_sqlx_migrations`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Version.
    pub version: i64,
    /// Description, from the file's name.
    pub description: String,
    /// Whether it was applied to its end.
    pub success: bool,
}

/// A transaction that reads, as long as it is not dropped.
pub enum Report {
    /// Of PostgreSQL.
    Postgres(PgConnection),
    /// Of MariaDB.
    MariaDb(MySqlConnection),
}

impl Database {
    /// Starts an empty server that shows this certificate.
    pub async fn start(
        engine: Engine,
        reaper: Option<&Reaper>,
        shown: Shown,
        user_of_gate: Option<&str>,
    ) -> Result<Self> {
        Ok(match engine {
            Engine::Postgres => Self::Postgres(Postgres::start_for(reaper, shown, user_of_gate).await?),
            Engine::MariaDb => Self::MariaDb(MariaDb::start(reaper, shown).await?),
        })
    }

    /// Its name, for people.
    pub fn product(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "PostgreSQL",
            Self::MariaDb(_) => "MariaDB",
        }
    }

    /// The engine, its version and the scheme of its URLs, as RDS and clients name them.
    pub fn words(&self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Postgres(_) => ("postgres", "15", "postgres"),
            Self::MariaDb(_) => ("mariadb", "10.11", "mysql"),
        }
    }

    /// The server, if it is PostgreSQL.
    pub fn as_postgres(&self) -> Option<&Postgres> {
        match self {
            Self::Postgres(postgres) => Some(postgres),
            Self::MariaDb(_) => None,
        }
    }

    /// Its host.
    pub fn host(&self) -> &'static str {
        match self {
            Self::Postgres(server) => server.host(),
            Self::MariaDb(server) => server.host(),
        }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        match self {
            Self::Postgres(server) => server.port(),
            Self::MariaDb(server) => server.port(),
        }
    }

    /// A user who may do everything.
    pub fn user(&self) -> &'static str {
        match self {
            Self::Postgres(server) => server.user(),
            Self::MariaDb(server) => server.user(),
        }
    }

    /// The user's password.
    pub fn password(&self) -> &str {
        match self {
            Self::Postgres(server) => server.password(),
            Self::MariaDb(server) => server.password(),
        }
    }

    /// The file with the authority that its clients are to trust.
    pub fn authority(&self) -> &Path {
        match self {
            Self::Postgres(server) => server.authority(),
            Self::MariaDb(server) => server.authority(),
        }
    }

    /// Makes an empty database.
    pub async fn create_database(&self, name: &str) -> Result<()> {
        match self {
            Self::Postgres(server) => server.create_database(name).await,
            Self::MariaDb(server) => server.create_database(name).await,
        }
    }

    /// Applies the migrations of a folder, up to and with a version, as `sqlx migrate run` does.
    pub async fn apply(&self, database: &str, folder: &Path, up_to: Option<i64>) -> Result<()> {
        match self {
            Self::Postgres(server) => server.apply(database, folder, up_to).await,
            Self::MariaDb(server) => server.apply(database, folder, up_to).await,
        }
    }

    /// The migrations that a database has recorded, in the order of their versions.
    pub async fn applied_migrations(&self, database: &str) -> Result<Vec<Applied>> {
        match self {
            Self::Postgres(server) => server.applied_migrations(database).await,
            Self::MariaDb(server) => server.applied_migrations(database).await,
        }
    }

    /// A transaction that has read every table of a database and is not over: whoever wants to change one waits for it.
    pub async fn open_report(&self, database: &str) -> Result<Report> {
        Ok(match self {
            Self::Postgres(server) => Report::Postgres(server.open_report(database).await?),
            Self::MariaDb(server) => Report::MariaDb(server.open_report(database).await?),
        })
    }

    /// Stops it, whoever is still connected, and removes its folder.
    pub async fn stop(self) {
        match self {
            Self::Postgres(server) => server.stop().await,
            Self::MariaDb(server) => server.stop().await,
        }
    }
}

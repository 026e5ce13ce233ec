//! What kind of PostgreSQL is at the other end of a connection.

use std::time::Duration;

use sqlx::postgres::PgConnection;

use crate::Halt;
use crate::connection::connected;
use crate::login::Login;

/// Connects, and calls itself so.
pub async fn open(login: &Login, caller: &str, left: Duration) -> Result<PgConnection, Halt> {
    connected(login, &login.postgres_options(caller), left).await
}

/// Why this server takes no writes; `None` when it does.
pub async fn why_read_only(connection: &mut PgConnection) -> Result<Option<&'static str>, sqlx::Error> {
    const SQL: &str = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::bool";
    let (replica, read_only): (bool, bool) = sqlx::query_as(SQL).persistent(false).fetch_one(connection).await?;
    Ok(match (replica, read_only) {
        (true, _) => Some("a read replica"),
        (false, true) => Some("read-only (default_transaction_read_only)"),
        (false, false) => None,
    })
}

/// The version of TLS that this connection is encrypted with, as the server says it; `None` when it is not.
pub async fn tls_version(connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    const SQL: &str = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl";
    let found: Option<(Option<String>,)> = sqlx::query_as(SQL).persistent(false).fetch_optional(connection).await?;
    Ok(found.and_then(|(version,)| version))
}

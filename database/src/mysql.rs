//! What kind of MySQL or MariaDB is at the other end of a connection.

use std::time::Duration;

use sqlx::mysql::MySqlConnection;

use crate::Halt;
use crate::connection::connected;
use crate::login::Login;

/// Connects.
pub async fn open(login: &Login, left: Duration) -> Result<MySqlConnection, Halt> {
    connected(login, &login.mysql_options(), left).await
}

/// Why this server takes no writes; `None` when it does. A reader of Aurora has `innodb_read_only`, a replica `read_only`.
pub async fn why_read_only(connection: &mut MySqlConnection) -> Result<Option<&'static str>, sqlx::Error> {
    // Both are words here, whatever type each server gives them elsewhere.
    const SQL: &str = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('innodb_read_only', 'read_only') \
         AND Value NOT IN ('OFF', '0', 'NO_LOCK')";
    let on: Vec<(String, String)> = sqlx::query_as(SQL).fetch_all(connection).await?;
    let is = |variable: &str| on.iter().any(|(name, _)| name.eq_ignore_ascii_case(variable));
    Ok(match (is("innodb_read_only"), is("read_only")) {
        (true, _) => Some("a reader (innodb_read_only)"),
        (false, true) => Some("a replica or read-only (read_only)"),
        (false, false) => None,
    })
}

/// The version of TLS that this connection is encrypted with, as the server says it; `None` when it is not.
pub async fn tls_version(connection: &mut MySqlConnection) -> Result<Option<String>, sqlx::Error> {
    const SQL: &str = "SHOW SESSION STATUS LIKE 'Ssl_version'";
    let found: Option<(String, String)> = sqlx::query_as(SQL).fetch_optional(connection).await?;
    Ok(found.map(|(_, version)| version).filter(|version| !version.is_empty()))
}

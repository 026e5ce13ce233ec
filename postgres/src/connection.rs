//! One connection, opened within its time, and what kind of server is at its other end.

use std::time::Duration;

use greenlight::check::CannotTell;
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnection;
use tokio::time::timeout;

use crate::Halt;
use crate::fault::{self, Class};
use crate::login::Login;

/// How long a connection may take to come about: a name to resolve, a handshake, a password.
const CONNECT: Duration = Duration::from_secs(10);

/// Connects, and calls itself so.
pub async fn open(login: &Login, caller: &str, left: Duration) -> Result<PgConnection, Halt> {
    let patience = CONNECT.min(left);
    match timeout(patience, login.options(caller).connect()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(unreachable(login, error)),
        Err(_) => Err(CannotTell {
            asked: format!("{}: no connection within {} s", login.place(), patience.as_secs()),
            remedy: reach(login),
            transient: true,
            source: None,
        }
        .into()),
    }
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

fn unreachable(login: &Login, error: sqlx::Error) -> Halt {
    let (place, said) = (login.place(), fault::words(&error));
    match (fault::sqlstate(&error).as_deref(), fault::class(&error)) {
        (Some("28P01" | "28000"), _) => {
            Halt::no(format!("{place} refused user {}: {said}", login.user), login.remedy())
        }
        (Some("3D000"), _) => Halt::no(
            format!("{place}: {said}"),
            "Create the database, or name another one in the plan (database.name); then redeploy.",
        ),
        (_, Class::Unready | Class::Busy) => Halt::not_yet(
            format!("{place}: {said}"),
            fault::jittered(Duration::from_secs(2)),
            "Free connections of the database (max_connections), or wait until it has started; then redeploy.",
        ),
        (None, _) if fault::is_of_tls(&error) => Halt::no(
            format!("{place}: no trusted connection: {said}"),
            "Name the endpoint that RDS gave (database.cluster finds it), with a certificate of RDS's or a public authority; \
             name others in GREENLIGHT_DATABASE_CA_BUNDLE.",
        ),
        (code, class) => CannotTell {
            asked: format!("{place}: {}", if code.is_some() { "the connection was refused" } else { "no connection" }),
            remedy: reach(login),
            transient: class == Class::Lost,
            source: Some(said.into()),
        }
        .into(),
    }
}

fn reach(login: &Login) -> String {
    format!(
        "Let the function reach {}:{}: its subnets, the database's security group, its name; for a certificate that is not \
         trusted, name the endpoint that RDS gave.",
        login.host, login.port
    )
}

//! One connection, opened within its time, and what is known of the server at its other end.

use std::time::Duration;

use greenlight::check::CannotTell;
use sqlx::{ConnectOptions, Connection};
use tokio::time::timeout;

use crate::fault::{self, Class};
use crate::login::Login;
use crate::{Engine, Halt, mysql, postgres};

/// How long a connection may take to come about: a name to resolve, a handshake, a password.
const CONNECT: Duration = Duration::from_secs(10);

/// How long saying goodbye may take; the server notices an unannounced end too.
pub const GOODBYE: Duration = Duration::from_secs(2);

/// What a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Why it takes no writes; `None` when it does.
    pub read_only: Option<&'static str>,
    /// The version of TLS of our connection; `None` when it is not encrypted.
    pub tls: Option<String>,
}

/// Connects, looks at the server, and says goodbye.
pub async fn look(login: &Login, caller: &str, left: Duration) -> Result<Seen, Halt> {
    let lost = |error: sqlx::Error| CannotTell {
        asked: format!("whether {} takes writes", login.place()),
        remedy: "Look at the database's events for a failover or restart, then redeploy.".to_owned(),
        transient: fault::class(&error) != Class::Refused,
        source: Some(fault::words(&error).into()),
    };
    let (read_only, tls) = match login.engine {
        Engine::PostgreSql => {
            let mut connection = postgres::open(login, caller, left).await?;
            let read_only = postgres::why_read_only(&mut connection).await;
            let tls = postgres::tls_version(&mut connection).await;
            // Nothing more is asked of it: an error here changes no answer.
            let _ = timeout(GOODBYE, connection.close()).await;
            (read_only, tls)
        }
        Engine::MySql => {
            let mut connection = mysql::open(login, left).await?;
            let read_only = mysql::why_read_only(&mut connection).await;
            let tls = mysql::tls_version(&mut connection).await;
            let _ = timeout(GOODBYE, connection.close()).await;
            (read_only, tls)
        }
    };
    Ok(Seen { read_only: read_only.map_err(lost)?, tls: tls.map_err(lost)? })
}

/// Connects with these options, within its time.
pub(crate) async fn connected<C: Sized>(
    login: &Login,
    options: &impl ConnectOptions<Connection = C>,
    left: Duration,
) -> Result<C, Halt> {
    let patience = CONNECT.min(left);
    match timeout(patience, options.connect()).await {
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

fn unreachable(login: &Login, error: sqlx::Error) -> Halt {
    let (place, said) = (login.place(), fault::words(&error));
    let refused = matches!(fault::sqlstate(&error).as_deref(), Some("28P01" | "28000"))
        || fault::mysql_number(&error) == Some(1044);
    let no_database = fault::sqlstate(&error).as_deref() == Some("3D000") || fault::mysql_number(&error) == Some(1049);
    match (fault::sqlstate(&error).as_deref(), fault::class(&error)) {
        _ if refused => Halt::no(format!("{place} refused user {}: {said}", login.user), login.remedy()),
        _ if no_database => Halt::no(
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

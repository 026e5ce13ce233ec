//! What PostgreSQL's errors mean here: which may pass, what to say, what to do.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use greenlight::check::CannotTell;
use sqlx::postgres::{PgDatabaseError, PgErrorPosition};

use super::Halt;

/// What an error means for the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The connection is gone, and with it the knowledge of what the last statement did.
    Lost,
    /// Somebody else held a lock for too long, or we were the victim of a deadlock.
    Busy,
    /// The server starts, has no room for us, or became a reader.
    Unready,
    /// Our own statement timeout, or somebody cancelled the statement.
    Cancelled,
    /// The server will say the same the next time.
    Refused,
}

/// Sorts an error by its SQLSTATE. <https://www.postgresql.org/docs/current/errcodes-appendix.html>
pub fn class(error: &sqlx::Error) -> Class {
    let Some(code) = sqlstate(error) else {
        return match error {
            sqlx::Error::Io(cause) if cause.kind() == std::io::ErrorKind::InvalidData => Class::Refused,
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => Class::Lost,
            _ => Class::Refused,
        };
    };
    match code.as_str() {
        "57P01" | "57P02" | "57P05" | "25P03" => Class::Lost,
        "55P03" | "40P01" | "40001" => Class::Busy,
        "53300" | "57P03" | "25006" => Class::Unready,
        "57014" => Class::Cancelled,
        code if code.starts_with("08") => Class::Lost,
        _ => Class::Refused,
    }
}

/// The server's five characters; `None` when the error is not the server's.
pub fn sqlstate(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|code| code.into_owned())
}

/// The character in the statement at which the server stumbled, counted from 1.
pub fn position(error: &sqlx::Error) -> Option<usize> {
    match server(error)?.position()? {
        PgErrorPosition::Original(position) => Some(position),
        PgErrorPosition::Internal { .. } => None,
    }
}

/// The server's message, SQLSTATE and hint. Its detail is left out: it quotes rows.
pub fn words(error: &sqlx::Error) -> String {
    let Some(server) = server(error) else { return error.to_string() };
    let mut out = format!("{} (SQLSTATE {})", server.message(), server.code());
    if let Some(hint) = server.hint() {
        out.push_str("; hint: ");
        out.push_str(hint);
    }
    out
}

fn server(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error().and_then(|error| error.try_downcast_ref())
}

/// What to do about a statement of a migration that the server refused.
pub fn remedy(error: &sqlx::Error, file: &str) -> String {
    match sqlstate(error).as_deref() {
        Some("25001") => format!(
            "Make \"-- no-transaction\" the very first bytes of {file}, or move the statement to a file of its own that \
             begins so; then redeploy."
        ),
        Some("42501") => {
            format!("Grant the migration's user what {file} needs, or name another secret; then redeploy.")
        }
        Some(code) if code.starts_with("23") => {
            format!("Clean the rows that contradict {file} in a migration before it; then redeploy.")
        }
        Some(code) if code.starts_with("53") => "Give the database the room it lacks; then redeploy.".to_owned(),
        _ => format!("Correct {file} (it is not recorded as applied, so it may change); then redeploy."),
    }
}

/// The end of an attempt because one of our own questions, not a migration's statement, went wrong.
/// `what` was asked: `the ledger`.
pub fn halt(what: &str, place: &str, error: sqlx::Error) -> Halt {
    let said = words(&error);
    match class(&error) {
        Class::Lost => CannotTell {
            asked: format!("{what} of {place}: the connection was lost"),
            remedy: "Look at the database's events for a failover or restart, then redeploy: what is recorded is not \
                     applied twice."
                .to_owned(),
            transient: true,
            source: Some(Box::new(error)),
        }
        .into(),
        Class::Busy | Class::Unready => Halt::not_yet(
            format!("{what} of {place}: {said}"),
            jittered(Duration::from_secs(2)),
            "Find out what keeps the database busy (pg_stat_activity), then redeploy.",
        ),
        Class::Cancelled | Class::Refused => Halt::no(
            format!("{what} of {place}: {said}"),
            "Give the migration's user the rights it needs on schema and ledger (CREATE on the schema, SELECT, INSERT, \
             UPDATE on _sqlx_migrations), then redeploy.",
        ),
    }
}

/// Between half of this and all of it, so that two who stand in each other's way do not meet again.
pub fn jittered(longest: Duration) -> Duration {
    let random = RandomState::new().hash_one(0_u8) % 512;
    longest / 2 + longest * u32::try_from(random).unwrap_or(0) / 1024
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Class, class, jittered};

    #[test]
    fn a_broken_connection_is_lost_and_a_wrong_certificate_is_refused() {
        let io = |kind| sqlx::Error::Io(std::io::Error::from(kind));
        assert_eq!(class(&io(std::io::ErrorKind::ConnectionReset)), Class::Lost);
        assert_eq!(class(&io(std::io::ErrorKind::UnexpectedEof)), Class::Lost);
        assert_eq!(class(&io(std::io::ErrorKind::InvalidData)), Class::Refused);
    }

    #[test]
    fn jitter_keeps_between_half_and_all() {
        for _ in 0..1000 {
            let drawn = jittered(Duration::from_secs(2));
            assert!((Duration::from_secs(1)..=Duration::from_secs(2)).contains(&drawn), "{drawn:?}");
        }
    }
}

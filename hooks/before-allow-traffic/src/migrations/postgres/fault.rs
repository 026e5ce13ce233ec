//! What PostgreSQL's errors mean for a migration: what to say, what to do.

use greenlight_database::fault::server;
use sqlx::postgres::PgErrorPosition;

use crate::migrations::Halt;
use crate::migrations::fault::{self, Advice};
pub use crate::migrations::fault::{Class, class, jittered, sqlstate, words};

const ADVICE: Advice =
    Advice { activity: "pg_stat_activity", rights: "CREATE on the schema, SELECT, INSERT, UPDATE on _sqlx_migrations" };

/// The character in the statement at which the server stumbled, counted from 1.
pub fn position(error: &sqlx::Error) -> Option<usize> {
    match server(error)?.position()? {
        PgErrorPosition::Original(position) => Some(position),
        PgErrorPosition::Internal { .. } => None,
    }
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
    fault::halt(what, place, &error, &ADVICE)
}

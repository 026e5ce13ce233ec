//! What errors of MySQL and MariaDB mean for a migration: what to say, what to do.

use crate::migrations::Halt;
use crate::migrations::fault::{self, Advice};
pub use crate::migrations::fault::{Class, class, jittered, mysql_number};

const ADVICE: Advice = Advice {
    activity: "SHOW FULL PROCESSLIST",
    rights: "CREATE on the database, SELECT, INSERT, UPDATE, DELETE on _sqlx_migrations and _greenlight_steps",
};

/// How many lines after a statement's first one the server stumbled, as its words about a wrong syntax end.
pub fn lines_down(error: &sqlx::Error) -> usize {
    let Some(server) = error.as_database_error() else { return 0 };
    let line = server.message().rsplit_once(" at line ").and_then(|(_, line)| line.parse::<usize>().ok());
    line.map_or(0, |line| line.saturating_sub(1))
}

/// What to do about a statement of a migration that the server refused.
pub fn remedy(error: &sqlx::Error, file: &str) -> String {
    match mysql_number(error) {
        // No right to the table, column, routine, database; a privilege is missing.
        Some(1044 | 1142 | 1143 | 1227 | 1370) => {
            format!("Grant the migration's user what {file} needs, or name another secret; then redeploy.")
        }
        // NULL, a duplicate, a foreign key or CHECK, a value that does not fit.
        Some(1048 | 1062 | 1138 | 1216 | 1217 | 1264 | 1265 | 1292 | 1366 | 1406 | 1451 | 1452 | 3819 | 4025) => {
            format!("Clean the rows that contradict {file} in a migration before it; then redeploy.")
        }
        // No space for a file, a sort, a table.
        Some(1021 | 1026 | 1038 | 1041 | 1114) => "Give the database the room it lacks; then redeploy.".to_owned(),
        Some(1153) => {
            format!("Cut the statement of {file} into smaller ones, or raise max_allowed_packet; then redeploy.")
        }
        _ => format!(
            "Correct {file} behind what is done of it (it is not recorded as applied, so it may change); then redeploy."
        ),
    }
}

/// The end of an attempt because one of our own questions, not a migration's statement, went wrong.
/// `what` was asked: `the ledger`.
pub fn halt(what: &str, place: &str, error: sqlx::Error) -> Halt {
    fault::halt(what, place, &error, &ADVICE)
}

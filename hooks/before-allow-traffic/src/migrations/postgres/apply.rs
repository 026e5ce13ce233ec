//! One file, applied: in one transaction with its row of the ledger, or step by step where it asks for that.

use greenlight_lint::statements::{Statement, statements};
use tokio::time::Instant;

use super::kind::Kind;
use super::ledger::Ledger;
use super::session::Session;
use super::{fault, steps};
use crate::migrations::Halt;
use crate::migrations::files::File;
use crate::migrations::turn::{Failure, Place, Turn};

/// What is wrong with a file that can be seen before anything is done: one sentence each.
pub fn inspect(file: &File) -> Vec<String> {
    let name = &file.name;
    if file.sql.starts_with('\u{feff}') {
        return vec![format!("{name} begins with a byte order mark, which PostgreSQL takes for a syntax error")];
    }
    if file.without_transaction() {
        return steps::steps(file).err().unwrap_or_default();
    }
    let mut faults = Vec::new();
    for statement in statements(&file.sql) {
        match statement {
            Err(unclosed) => faults.push(format!("{name} {unclosed}")),
            Ok(statement) => {
                let at = || format!("{name} line {}: {}", statement.line, statement.summary());
                match Kind::of(&statement) {
                    Kind::Begin | Kind::Commit | Kind::Rollback | Kind::Untraceable => {
                        faults.push(format!(
                            "{} would end the transaction in which the file and its record belong together",
                            at()
                        ));
                    }
                    Kind::CopyFromStdin => faults.push(format!("{} needs data that only psql could send", at())),
                    Kind::CreateIndexConcurrently { .. } | Kind::DropIndexConcurrently(_) | Kind::Alone { .. } => {
                        faults.push(format!(
                            "{} cannot run in a transaction, and the first line is not -- no-transaction",
                            at()
                        ));
                    }
                    Kind::Ordinary | Kind::Setting => {}
                }
            }
        }
    }
    faults
}

/// Applies a file that [`inspect`] found nothing wrong with.
pub async fn apply(session: &mut Session, ledger: &Ledger, turn: Turn<'_>) -> Result<(), Failure> {
    let applying = async {
        session.start_over().await?;
        if turn.file.without_transaction() {
            steps::apply(session, ledger, turn).await
        } else {
            whole(session, ledger, turn).await
        }
    };
    turn.logged(applying).await
}

/// In one transaction with its row of the ledger.
async fn whole(session: &mut Session, ledger: &Ledger, turn: Turn<'_>) -> Result<u64, Failure> {
    let started = Instant::now();
    let file = turn.file;
    let own = |session: &Session, error| Failure::Halt(fault::halt(&file.name, &session.place, error));
    session.run("BEGIN").await.map_err(|error| own(session, error))?;
    let (mut place, mut plain_user) = (Place { of: statements(&file.sql).count(), ..Place::default() }, true);
    for statement in statements(&file.sql) {
        place.number += 1;
        let statement = statement.map_err(|unclosed| Halt::no(unclosed.to_string(), "Close it, then redeploy."))?;
        plain_user &= !(statement.mentions("role") || statement.mentions("authorization"));
        match run(session, turn, place, &statement).await {
            Ok(touched) => place.rows += touched,
            Err(error) => return Err(undone(session, &statement, error).await),
        }
    }
    if !plain_user {
        let reset = session.run("RESET SESSION AUTHORIZATION; RESET ROLE").await;
        reset.map_err(|error| own(session, error))?;
    }
    ledger.book(session, file, started.elapsed()).await.map_err(|error| own(session, error))?;
    // From here on only the ledger knows: a connection lost now leaves the file applied and booked, or neither.
    session.run("COMMIT").await.map_err(|error| Failure::Statement {
        line: file.sql.lines().count().max(1),
        summary: "COMMIT".to_owned(),
        rest: "the file was undone whole".to_owned(),
        error,
    })?;
    Ok(place.rows)
}

async fn undone(session: &mut Session, statement: &Statement<'_>, error: sqlx::Error) -> Failure {
    // Closing the connection undoes the transaction as well.
    let _ = session.run("ROLLBACK").await;
    failure(statement, error, "the file was undone whole".to_owned())
}

/// A statement that went wrong, with the line on which the server stumbled.
pub fn failure(statement: &Statement<'_>, error: sqlx::Error, rest: String) -> Failure {
    let line = fault::position(&error).map_or(statement.line, |position| statement.line_at(position));
    Failure::Statement { line, summary: statement.summary(), rest, error }
}

/// Runs one statement, and names it in the log for as long as it runs.
pub async fn run(
    session: &mut Session,
    turn: Turn<'_>,
    place: Place,
    statement: &Statement<'_>,
) -> Result<u64, sqlx::Error> {
    session.keep_limits().await?;
    let limits = statement.mentions("statement_timeout") || statement.mentions("lock_timeout");
    session.file_sets_limits |= limits && statement.starts_with(&["set"]);
    turn.watched(place, statement.line, || statement.summary(), session.run(statement.text)).await
}

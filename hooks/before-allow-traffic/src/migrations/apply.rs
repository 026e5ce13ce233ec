//! One file, applied: in one transaction with its row of the ledger, or step by step where it asks for that.

use std::pin::pin;
use std::time::Duration;

use greenlight_lint::statements::{Statement, statements};
use tokio::time::{Instant, timeout};

use super::files::File;
use super::kind::Kind;
use super::ledger::Ledger;
use super::session::Session;
use super::{Halt, fault, steps};

/// How often a statement that runs on is named in the log.
const TICK: Duration = Duration::from_secs(5);

/// A file and its place among those that are applied now.
#[derive(Clone, Copy)]
pub struct Turn<'a> {
    /// The file.
    pub file: &'a File,
    /// First is 1.
    pub number: usize,
    /// How many there are.
    pub of: usize,
}

/// A statement's place in its file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// First is 1.
    pub number: usize,
    /// How many the file has.
    pub of: usize,
    /// Rows that the statements before it touched, in this run.
    pub rows: u64,
}

/// Why a file was not applied.
#[derive(Debug)]
pub enum Failure {
    /// A statement of the file went wrong.
    Statement {
        /// The line of the file.
        line: usize,
        /// The statement's beginning.
        summary: String,
        /// What became of the rest of the file.
        rest: String,
        /// What the server said.
        error: sqlx::Error,
    },
    /// Something else.
    Halt(Halt),
}

impl From<Halt> for Failure {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

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
    let Turn { file, number, of } = turn;
    tracing::info!(file = %file.name, number, of, "applying {} ({number} of {of})", file.name);
    let started = Instant::now();
    session.start_over().await?;
    let rows = if file.without_transaction() {
        steps::apply(session, ledger, turn).await?
    } else {
        whole(session, ledger, turn).await?
    };
    let took = started.elapsed();
    tracing::info!(
        file = %file.name, number, of, rows, duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "applied {} ({number} of {of}), {rows} rows in {took:.1?}", file.name
    );
    Ok(())
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
    let started = Instant::now();
    let mut running = pin!(session.run(statement.text));
    let mut named = false;
    let result = loop {
        match timeout(TICK, &mut running).await {
            Ok(result) => break result,
            Err(_) => still_running(turn, place, statement, started.elapsed()),
        }
        named = true;
    };
    if let Ok(rows) = &result
        && named
    {
        let (Turn { file, number, of }, elapsed_s) = (turn, started.elapsed().as_secs());
        tracing::info!(
            file = %file.name, number, of, line = statement.line, statement_number = place.number, statements = place.of,
            elapsed_s, rows,
            "done {} line {} (statement {} of {}), {rows} rows in {elapsed_s} s", file.name, statement.line, place.number, place.of
        );
    }
    result
}

fn still_running(turn: Turn<'_>, place: Place, statement: &Statement<'_>, elapsed: Duration) {
    let (Turn { file, number, of }, elapsed_s) = (turn, elapsed.as_secs());
    let before = if place.number > 1 { format!(", {} rows before it", place.rows) } else { String::new() };
    tracing::info!(
        file = %file.name, number, of, line = statement.line, statement_number = place.number, statements = place.of,
        elapsed_s, rows = place.rows, statement = statement.summary(),
        "still running {} line {} (file {number} of {of}, statement {} of {}), {elapsed_s} s so far{before}",
        file.name, statement.line, place.number, place.of
    );
}

//! One attempt at a PostgreSQL database: from the connection to the words for the report.

use super::apply::{apply, inspect};
use super::ledger::Ledger;
use super::session::Session;
use super::{fault, indexes, lock};
use crate::migrations::attempt::{Attempt, Broken};
use crate::migrations::files::File;
use crate::migrations::ledger::{another_tools, is_applied};
use crate::migrations::turn::{Failure, Turn};
use crate::migrations::{Halt, counted};

/// What to do about files that cannot work.
const CORRECT: &str = "Correct what is named, then redeploy. A statement that cannot run in a transaction goes into a \
                       file of its own whose very first bytes are \"-- no-transaction\".";

/// Applies what is missing.
pub async fn make(attempt: &Attempt<'_>) -> Result<String, Halt> {
    let mut session = Session::open(attempt.login, attempt.caller, attempt.deadline, attempt.lock_timeout).await?;
    let result = work(attempt, &mut session).await;
    session.close().await;
    result
}

async fn work(attempt: &Attempt<'_>, session: &mut Session) -> Result<String, Halt> {
    if let Some(why) = session.why_read_only().await? {
        return Err(attempt.reader(why));
    }
    lock::take(session).await?;
    session.start_over().await?;
    let ledger = Ledger::find(session).await?;
    let rows = match &ledger {
        Some(ledger) => ledger.rows(session).await?,
        None => Vec::new(),
    };
    let pending = attempt.pending(&rows, inspect, CORRECT)?;
    let ledger = match ledger {
        Some(ledger) => ledger,
        None => Ledger::create(session).await?,
    };
    for (index, file) in pending.iter().enumerate() {
        let turn = Turn { file, number: index + 1, of: pending.len() };
        if let Err(halt) = self::turn(attempt, session, &ledger, turn).await {
            return Err(attempt.ended(halt, ledger.rows(session).await.ok().as_deref()));
        }
    }
    session.start_over().await?;
    let rows = ledger.rows(session).await?;
    let invalid = indexes::invalid(session).await?;
    lock::release(session).await;
    let summary = attempt.summary(&rows);
    Ok(if invalid.is_empty() {
        summary
    } else {
        format!("{summary}; invalid, so of no use until built again or dropped: {}", invalid.join(", "))
    })
}

async fn turn(attempt: &Attempt<'_>, session: &mut Session, ledger: &Ledger, turn: Turn<'_>) -> Result<(), Halt> {
    attempt.has_time_for(turn.file)?;
    // An earlier file may have written to the ledger: never what was read before it.
    let rows = ledger.rows(session).await?;
    if is_applied(&rows, turn.file) {
        return Ok(());
    }
    if rows.iter().any(|row| row.version == turn.file.version) {
        resumable(session, ledger, turn.file).await?;
    }
    match apply(session, ledger, turn).await {
        Ok(()) => Ok(()),
        Err(Failure::Halt(halt)) => Err(halt),
        Err(Failure::Statement { line, summary, rest, error }) => {
            let in_the_way =
                if fault::class(&error) == fault::Class::Busy { oldest_transaction(session).await } else { None };
            let (file, remedy) = (turn.file, fault::remedy(&error, &turn.file.name));
            Err(attempt.failed(Broken {
                file,
                line,
                summary: &summary,
                rest: &rest,
                error: &error,
                in_the_way,
                remedy,
            }))
        }
    }
}

/// A file that was begun may be gone on with only where we know how far it came.
async fn resumable(session: &mut Session, ledger: &Ledger, file: &File) -> Result<(), Halt> {
    let progress = ledger.progress(session, file).await;
    let progress = progress.map_err(|error| fault::halt(&file.name, &session.place, error))?;
    let untouched = progress.as_ref().is_some_and(|progress| progress.done == 0 && !progress.in_doubt);
    if untouched && !file.without_transaction() {
        let forgotten = ledger.forget(session, file).await;
        return forgotten.map_err(|error| fault::halt(&file.name, &session.place, error));
    }
    match progress {
        Some(_) if file.without_transaction() => Ok(()),
        Some(progress) => Err(Halt::no(
            format!(
                "{} was begun without a transaction and stopped after {}; now it asks for a transaction",
                file.name,
                counted(progress.done, "step")
            ),
            format!(
                "Begin {} with \"-- no-transaction\" again, then redeploy: it goes on where it stopped.",
                file.name
            ),
        )),
        None => Err(another_tools(file)),
    }
}

/// Who is most probably in the way of a statement that waited too long.
async fn oldest_transaction(session: &mut Session) -> Option<String> {
    const SQL: &str = "SELECT pid, coalesce(nullif(application_name, ''), 'an application without a name'), \
         extract(epoch FROM clock_timestamp() - xact_start)::bigint FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL \
         ORDER BY xact_start LIMIT 1";
    let query = sqlx::query_as(SQL).persistent(false);
    let (pid, application, seconds): (i32, String, i64) =
        query.fetch_optional(&mut session.connection).await.ok().flatten()?;
    Some(format!("probably in the way: the transaction of pid {pid} ({application}), open for {seconds} s"))
}

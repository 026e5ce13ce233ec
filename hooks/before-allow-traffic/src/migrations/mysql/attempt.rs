//! One attempt at a database of MySQL or MariaDB: from the connection to the words for the report.

use super::inspection::inspect;
use super::session::Session;
use super::steps::apply;
use super::{fault, ledger, lock};
use crate::migrations::Halt;
use crate::migrations::attempt::{Attempt, Broken};
use crate::migrations::ledger::{another_tools, is_applied};
use crate::migrations::turn::{Failure, Turn};

/// What to do about files that cannot work.
const CORRECT: &str = "Correct what is named, then redeploy.";

/// Applies what is missing.
pub async fn make(attempt: &Attempt<'_>) -> Result<String, Halt> {
    let mut session = Session::open(attempt.login, attempt.caller, attempt.deadline, attempt.lock_timeout).await?;
    let result = work(attempt, &mut session).await;
    session.close().await;
    result
}

async fn work(attempt: &Attempt<'_>, session: &mut Session<'_>) -> Result<String, Halt> {
    if let Some(why) = session.why_read_only().await? {
        return Err(attempt.reader(why));
    }
    lock::take(session).await?;
    session.start_over().await?;
    let there = ledger::is_there(session).await?;
    let rows = if there { ledger::rows(session).await? } else { Vec::new() };
    let pending = attempt.pending(&rows, |file| inspect(file, &session.server), CORRECT)?;
    if !there {
        ledger::create(session).await?;
    }
    for (index, file) in pending.iter().enumerate() {
        let turn = Turn { file, number: index + 1, of: pending.len() };
        if let Err(halt) = self::turn(attempt, session, turn).await {
            return Err(attempt.ended(halt, ledger::rows(session).await.ok().as_deref()));
        }
    }
    session.start_over().await?;
    let rows = ledger::rows(session).await?;
    lock::release(session).await;
    Ok(attempt.summary(&rows))
}

async fn turn(attempt: &Attempt<'_>, session: &mut Session<'_>, turn: Turn<'_>) -> Result<(), Halt> {
    attempt.has_time_for(turn.file)?;
    session.start_over().await?;
    // An earlier file may have written to the ledger, and another migrator may have had the lock: never what was read before.
    let rows = ledger::rows(session).await?;
    if is_applied(&rows, turn.file) {
        return Ok(());
    }
    let position = ledger::position(session, turn.file).await?;
    let booked = rows.iter().any(|row| row.version == turn.file.version);
    if booked && position.is_none() {
        // On a MariaDB sqlx's own lock does not lock (see `lock`), so it may be at work this very moment.
        let still = session.is_mariadb;
        return Err(if still { attempt.begun_by_another(turn.file) } else { another_tools(turn.file) });
    }
    // Without its row in the ledger a file was never begun, whatever is left beside it.
    match turn.logged(apply(session, turn, position.filter(|_| booked))).await {
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

/// Who is most probably in the way of a statement that waited too long. Needs the right PROCESS.
async fn oldest_transaction(session: &mut Session<'_>) -> Option<String> {
    const SQL: &str = "SELECT CAST(p.id AS SIGNED), CAST(p.user AS CHAR), CAST(p.host AS CHAR), \
         CAST(TIMESTAMPDIFF(SECOND, t.trx_started, NOW()) AS SIGNED) FROM information_schema.innodb_trx t \
         JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id \
         WHERE p.id <> CONNECTION_ID() ORDER BY t.trx_started LIMIT 1";
    let query = sqlx::query_as(SQL);
    let (id, user, host, seconds): (i64, String, String, i64) =
        query.fetch_optional(&mut session.connection).await.ok().flatten()?;
    Some(format!(
        "probably in the way: the transaction of session {id} (user {user} from {host}), open for {seconds} s"
    ))
}

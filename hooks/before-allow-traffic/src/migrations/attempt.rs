//! One attempt: from the connection to the words for the report.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use greenlight::check::CannotTell;
use greenlight::deadline::Deadline;
use greenlight_database::login::Login;

use super::apply::{Failure, Turn, apply, inspect};
use super::fault::{self, Class, jittered};
use super::files::File;
use super::ledger::{Applied, Ledger};
use super::session::Session;
use super::{Halt, counted, files_are, indexes, lock};

/// A file is not begun when less than this is left: it would only be undone.
const LEAST: Duration = Duration::from_secs(3);
/// How many attempts may end because somebody else held a lock that a statement needed.
const BUSY_ATTEMPTS: u32 = 5;
/// How many attempts may meet a reader; a failover is over by then.
const READER_ATTEMPTS: u32 = 8;

/// Where applied files leave the traffic.
const ON_BLUE: &str = "traffic stays on blue";

/// What attempts at the same deployment remember of each other.
#[derive(Debug, Default)]
pub struct Patience {
    busy: AtomicU32,
    reader: AtomicU32,
}

/// What to apply, where.
pub struct Attempt<'a> {
    /// The files, by version; never empty.
    pub files: &'a [File],
    /// Where the database is.
    pub login: &'a Login,
    /// What the connection calls itself: `greenlight before-allow-traffic d-ABC`.
    pub caller: &'a str,
    /// When our questions end.
    pub deadline: Deadline,
    /// How long a statement may wait for a lock.
    pub lock_timeout: Duration,
    /// What earlier attempts met.
    pub patience: &'a Patience,
}

impl Attempt<'_> {
    /// Applies what is missing. `Ok`: everything is applied, in words that are the same however often it is asked.
    pub async fn make(&self) -> Result<String, Halt> {
        let mut session = Session::open(self.login, self.caller, self.deadline, self.lock_timeout).await?;
        let result = self.work(&mut session).await;
        session.close().await;
        result
    }

    async fn work(&self, session: &mut Session) -> Result<String, Halt> {
        self.writer(session).await?;
        lock::take(session).await?;
        session.start_over().await?;
        let ledger = Ledger::find(session).await?;
        let rows = match &ledger {
            Some(ledger) => ledger.rows(session).await?,
            None => Vec::new(),
        };
        let pending = self.pending(&rows)?;
        let ledger = match ledger {
            Some(ledger) => ledger,
            None => Ledger::create(session).await?,
        };
        for (index, file) in pending.iter().enumerate() {
            let turn = Turn { file, number: index + 1, of: pending.len() };
            if let Err(halt) = self.turn(session, &ledger, turn).await {
                return Err(match self.standing(session, &ledger).await {
                    Some(standing) => halt.with(&format!("{standing}; {ON_BLUE}")),
                    None => halt.with(ON_BLUE),
                });
            }
        }
        session.start_over().await?;
        let rows = ledger.rows(session).await?;
        let invalid = indexes::invalid(session).await?;
        lock::release(session).await;
        Ok(self.summary(&session.place, &rows, &invalid))
    }

    async fn writer(&self, session: &mut Session) -> Result<(), Halt> {
        let Some(why) = session.why_read_only().await? else { return Ok(()) };
        let evidence = format!("{} is {why}; nothing was migrated", session.place);
        let remedy = "Name the writer's endpoint in the plan (database.host) or in the secret; then redeploy.";
        if self.patience.reader.fetch_add(1, Ordering::Relaxed) < READER_ATTEMPTS {
            Err(Halt::not_yet(evidence, jittered(Duration::from_secs(5)), remedy))
        } else {
            Err(Halt::no(evidence, remedy))
        }
    }

    /// What is not applied yet, once everything that can be known beforehand is in order.
    fn pending(&self, rows: &[Applied]) -> Result<Vec<&File>, Halt> {
        let (mut pending, mut changed, mut line_ends, mut wrong) = (Vec::new(), Vec::new(), true, Vec::new());
        for file in self.files {
            match rows.iter().find(|row| row.version == file.version) {
                Some(row) if row.success && row.checksum == file.checksum => {}
                Some(row) if row.success => {
                    line_ends &= file.differs_only_in_line_ends(&row.checksum);
                    changed.push(format!(
                        "{} (recorded {}…, now {}…)",
                        file.name,
                        hex(&row.checksum),
                        hex(&file.checksum)
                    ));
                }
                _ => {
                    wrong.extend(inspect(file));
                    pending.push(file);
                }
            }
        }
        if !changed.is_empty() {
            let how = if line_ends { "changed in nothing but their line ends" } else { "changed" };
            let remedy = if line_ends {
                "Keep line ends as they are (\"*.sql text eol=lf\" in .gitattributes), then redeploy."
            } else {
                "Put each file back as it was applied and write the change as a new migration; then redeploy."
            };
            return Err(Halt::no(
                format!("applied files were {how} since: {}; nothing was migrated; {ON_BLUE}", changed.join(", ")),
                remedy,
            ));
        }
        if !wrong.is_empty() {
            let remedy = "Correct what is named, then redeploy. A statement that cannot run in a transaction goes into a \
                          file of its own whose very first bytes are \"-- no-transaction\".";
            return Err(Halt::no(format!("{}; nothing was migrated; {ON_BLUE}", wrong.join("; ")), remedy));
        }
        let newest = rows.iter().map(|row| row.version).max();
        for file in pending.iter().filter(|file| newest.is_some_and(|newest| file.version < newest)) {
            tracing::warn!(file = %file.name, newest, "{} is older than what is applied already", file.name);
        }
        Ok(pending)
    }

    async fn turn(&self, session: &mut Session, ledger: &Ledger, turn: Turn<'_>) -> Result<(), Halt> {
        let left = session.deadline.left_for_questions();
        if left < LEAST {
            return Err(Halt::no(
                format!("{} s were left, too few to begin {}", left.as_secs(), turn.file.name),
                "Redeploy: the next run goes on from here. Give the function more time if it has less than 15 minutes.",
            ));
        }
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
                let at = format!("{} line {line} ({summary})", turn.file.name);
                Err(self.failed(session, turn.file, &at, &rest, error).await)
            }
        }
    }

    async fn failed(&self, session: &mut Session, file: &File, at: &str, rest: &str, error: sqlx::Error) -> Halt {
        let said = format!("{at}: {}; {rest}", fault::words(&error));
        match fault::class(&error) {
            Class::Lost => CannotTell {
                asked: format!("{at}: the connection to {} was lost; its ledger tells what was done", session.place),
                remedy:
                    "Look at the database's events for a failover or restart, then redeploy: what is recorded is not \
                         applied twice."
                        .to_owned(),
                transient: true,
                source: Some(fault::words(&error).into()),
            }
            .into(),
            Class::Unready => {
                Halt::not_yet(said, jittered(Duration::from_secs(5)), "Wait for the failover, then redeploy.")
            }
            Class::Busy => {
                let met = self.patience.busy.fetch_add(1, Ordering::Relaxed) + 1;
                let said = match oldest_transaction(session).await {
                    Some(oldest) => format!("{said}; {oldest}"),
                    None => said,
                };
                let remedy = "End the transaction that is in the way, or deploy when it is over. A longer \
                              migrations.lock_timeout would make blue's own queries wait as long.";
                if met < BUSY_ATTEMPTS {
                    let longest = Duration::from_secs(1 << met.min(5)).min(Duration::from_secs(30));
                    Halt::not_yet(said, jittered(longest), remedy)
                } else {
                    Halt::no(format!("{said}; tried {met} times"), remedy)
                }
            }
            Class::Cancelled => Halt::no(
                said,
                format!("Cut {} into smaller steps, or give the function more time; then redeploy.", file.name),
            ),
            Class::Refused => Halt::no(said, fault::remedy(&error, &file.name)),
        }
    }

    /// What is applied when a file failed; `None` when the database does not say.
    async fn standing(&self, session: &mut Session, ledger: &Ledger) -> Option<String> {
        const NAMED: usize = 5;
        let rows = ledger.rows(session).await.ok()?;
        let applied: Vec<_> =
            self.files.iter().filter(|file| is_applied(&rows, file)).map(|file| &*file.name).collect();
        let named = applied.iter().rev().take(NAMED).rev().copied().collect::<Vec<_>>().join(", ");
        let more = if applied.len() > NAMED { "…, " } else { "" };
        let of = self.files.len();
        Some(match applied.len() {
            0 => format!("none of {of} files is applied"),
            1 => format!("1 of {of} files is applied and stays recorded: {named}"),
            count => format!("{count} of {of} files are applied and stay recorded: {more}{named}"),
        })
    }

    fn summary(&self, place: &str, rows: &[Applied], invalid: &[String]) -> String {
        let applied = self.files.iter().filter(|file| is_applied(rows, file)).count();
        let last = self.files.last().map_or("", |file| &file.name);
        let mut out = format!("{applied} of {} applied in {place}, the last is {last}", files_are(self.files.len()));
        let ahead: Vec<_> =
            rows.iter().filter(|row| self.files.iter().all(|file| file.version != row.version)).collect();
        if let Some(newest) = ahead.last() {
            out.push_str(&format!(
                "; the database is ahead by {} not in this folder, the newest {}",
                counted(ahead.len(), "version"),
                newest.version
            ));
            let unfinished: Vec<_> =
                ahead.iter().filter(|row| !row.success).map(|row| row.version.to_string()).collect();
            if !unfinished.is_empty() {
                out.push_str(&format!(", of which {} unfinished", unfinished.join(", ")));
            }
        }
        if !invalid.is_empty() {
            out.push_str(&format!("; invalid, so of no use until built again or dropped: {}", invalid.join(", ")));
        }
        out
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
        None => Err(Halt::no(
            format!("{} is recorded as begun and not finished, by another tool than greenlight", file.name),
            format!(
                "See what of {} is done, undo it, delete the row of version {} from _sqlx_migrations; then redeploy.",
                file.name, file.version
            ),
        )),
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

fn is_applied(rows: &[Applied], file: &File) -> bool {
    rows.iter().any(|row| row.version == file.version && row.success)
}

fn hex(checksum: &[u8]) -> String {
    checksum.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

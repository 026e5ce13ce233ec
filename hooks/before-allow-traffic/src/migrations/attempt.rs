//! One attempt: what it is told, what it remembers of those before it, and its words for the report, whatever the engine.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use greenlight::check::CannotTell;
use greenlight::deadline::Deadline;
use greenlight_database::Engine;
use greenlight_database::login::Login;

use super::fault::{self, Class, jittered};
use super::files::File;
use super::ledger::{Applied, another_tools, is_applied};
use super::{Halt, counted, files_are, mysql, postgres};

/// A file is not begun when less than this is left: it would only be undone.
const LEAST: Duration = Duration::from_secs(3);
/// How many attempts may end because somebody else held a lock that a statement needed.
const BUSY_ATTEMPTS: u32 = 5;
/// How many attempts may meet a reader; a failover is over by then.
const READER_ATTEMPTS: u32 = 8;
/// How many attempts may meet a file that another tool has begun and not finished, where that tool's lock tells us nothing.
const UNFINISHED_ATTEMPTS: u32 = 4;

/// Where applied files leave the traffic.
pub const ON_BLUE: &str = "traffic stays on blue";

/// What attempts at the same deployment remember of each other.
#[derive(Debug, Default)]
pub struct Patience {
    busy: AtomicU32,
    reader: AtomicU32,
    unfinished: AtomicU32,
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

/// A statement of a file that went wrong.
pub struct Broken<'a> {
    /// Its file.
    pub file: &'a File,
    /// The line of the file.
    pub line: usize,
    /// The statement's beginning.
    pub summary: &'a str,
    /// What became of the rest of the file.
    pub rest: &'a str,
    /// What the server said.
    pub error: &'a sqlx::Error,
    /// Who is probably in the way, where the statement waited too long and the server tells.
    pub in_the_way: Option<String>,
    /// What to do where the server refused it.
    pub remedy: String,
}

impl Attempt<'_> {
    /// Applies what is missing. `Ok`: everything is applied, in words that are the same however often it is asked.
    pub async fn make(&self) -> Result<String, Halt> {
        match self.login.engine {
            Engine::PostgreSql => postgres::attempt::make(self).await,
            Engine::MySql => mysql::attempt::make(self).await,
        }
    }

    /// The server takes no writes.
    pub fn reader(&self, why: &str) -> Halt {
        let evidence = format!("{} is {why}; nothing was migrated", self.login.place());
        let remedy = "Name the writer's endpoint in the plan (database.host) or in the secret; then redeploy.";
        if self.patience.reader.fetch_add(1, Ordering::Relaxed) < READER_ATTEMPTS {
            Halt::not_yet(evidence, jittered(Duration::from_secs(5)), remedy)
        } else {
            Halt::no(evidence, remedy)
        }
    }

    /// Another tool has begun this file, and may still be at it.
    pub fn begun_by_another(&self, file: &File) -> Halt {
        if self.patience.unfinished.fetch_add(1, Ordering::Relaxed) >= UNFINISHED_ATTEMPTS {
            return another_tools(file);
        }
        Halt::not_yet(
            format!("{} is recorded as begun and not finished, by another tool than greenlight", file.name),
            jittered(Duration::from_secs(2)),
            "Let it finish, or see what it has left; then redeploy.",
        )
    }

    /// What is not applied yet, once everything that can be known beforehand is in order. `inspect` says what is wrong with a
    /// file, and `remedy` what to do then.
    pub fn pending(
        &self,
        rows: &[Applied],
        inspect: impl Fn(&File) -> Vec<String>,
        remedy: &str,
    ) -> Result<Vec<&File>, Halt> {
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
            return Err(Halt::no(format!("{}; nothing was migrated; {ON_BLUE}", wrong.join("; ")), remedy));
        }
        let newest = rows.iter().map(|row| row.version).max();
        for file in pending.iter().filter(|file| newest.is_some_and(|newest| file.version < newest)) {
            tracing::warn!(file = %file.name, newest, "{} is older than what is applied already", file.name);
        }
        Ok(pending)
    }

    /// Whether there is time to begin this file.
    pub fn has_time_for(&self, file: &File) -> Result<(), Halt> {
        let left = self.deadline.left_for_questions();
        if left >= LEAST {
            return Ok(());
        }
        Err(Halt::no(
            format!("{} s were left, too few to begin {}", left.as_secs(), file.name),
            "Redeploy: the next run goes on from here. Give the function more time if it has less than 15 minutes.",
        ))
    }

    /// What becomes of the attempt after this.
    pub fn failed(&self, broken: Broken<'_>) -> Halt {
        let Broken { file, line, summary, rest, error, in_the_way, remedy } = broken;
        let at = format!("{} line {line} ({summary})", file.name);
        let said = format!("{at}: {}; {rest}", fault::words(error));
        match fault::class(error) {
            Class::Lost => CannotTell {
                asked: format!(
                    "{at}: the connection to {} was lost; its ledger tells what was done",
                    self.login.place()
                ),
                remedy:
                    "Look at the database's events for a failover or restart, then redeploy: what is recorded is not \
                         applied twice."
                        .to_owned(),
                transient: true,
                source: Some(fault::words(error).into()),
            }
            .into(),
            Class::Unready => {
                Halt::not_yet(said, jittered(Duration::from_secs(5)), "Wait for the failover, then redeploy.")
            }
            Class::Busy => {
                let met = self.patience.busy.fetch_add(1, Ordering::Relaxed) + 1;
                let said = match in_the_way {
                    Some(who) => format!("{said}; {who}"),
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
            Class::Refused => Halt::no(said, remedy),
        }
    }

    /// The end of an attempt at a file, with what is applied now; `rows` is `None` where the database does not say.
    pub fn ended(&self, halt: Halt, rows: Option<&[Applied]>) -> Halt {
        match rows {
            Some(rows) => halt.with(&format!("{}; {ON_BLUE}", self.standing(rows))),
            None => halt.with(ON_BLUE),
        }
    }

    fn standing(&self, rows: &[Applied]) -> String {
        const NAMED: usize = 5;
        let applied: Vec<_> = self.files.iter().filter(|file| is_applied(rows, file)).map(|file| &*file.name).collect();
        let named = applied.iter().rev().take(NAMED).rev().copied().collect::<Vec<_>>().join(", ");
        let more = if applied.len() > NAMED { "…, " } else { "" };
        let of = self.files.len();
        match applied.len() {
            0 => format!("none of {of} files is applied"),
            1 => format!("1 of {of} files is applied and stays recorded: {named}"),
            count => format!("{count} of {of} files are applied and stay recorded: {more}{named}"),
        }
    }

    /// What is applied once everything is.
    pub fn summary(&self, rows: &[Applied]) -> String {
        let applied = self.files.iter().filter(|file| is_applied(rows, file)).count();
        let (last, place) = (self.files.last().map_or("", |file| &file.name), self.login.place());
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
        out
    }
}

fn hex(checksum: &[u8]) -> String {
    checksum.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

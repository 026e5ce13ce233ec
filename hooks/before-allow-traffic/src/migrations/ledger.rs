//! What the books say, whatever the engine: what is applied, and how far a file has come that is run step by step.

use sha2::{Digest, Sha384};

use super::files::File;
use super::{Halt, counted};

/// Tables by which other tools remember what they applied.
pub const OTHER_TOOLS: [(&str, &str); 10] = [
    ("alembic_version", "Alembic"),
    ("flyway_schema_history", "Flyway"),
    ("databasechangelog", "Liquibase"),
    ("django_migrations", "Django"),
    ("_prisma_migrations", "Prisma"),
    ("schema_migrations", "Rails, golang-migrate or dbmate"),
    ("__diesel_schema_migrations", "Diesel"),
    ("refinery_schema_history", "refinery"),
    ("goose_db_version", "goose"),
    ("knex_migrations", "Knex"),
];

/// A row of sqlx's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The file's version.
    pub version: i64,
    /// Whether it was finished.
    pub success: bool,
    /// The file's checksum.
    pub checksum: Vec<u8>,
}

/// How far a file has come that is run step by step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// So many of its steps are done.
    pub done: usize,
    /// Whether the next one was started and nobody heard how it ended.
    pub in_doubt: bool,
    /// Checksum of the steps that are done.
    pub digest: Vec<u8>,
}

/// Counts the steps of a file, and keeps the checksum of those that are done.
pub struct Tally {
    /// How far the file has come.
    pub progress: Progress,
    of: usize,
    digest: Sha384,
}

impl Tally {
    /// Of so many steps.
    pub fn new(of: usize, progress: Progress) -> Self {
        Self { progress, of, digest: Sha384::new() }
    }

    /// The next step, with its statements: how far the file has come once it is done.
    pub fn count<'a>(&mut self, index: usize, statements: impl Iterator<Item = &'a str>) -> Progress {
        for text in statements {
            self.digest.update(text);
            self.digest.update([0]);
        }
        Progress { done: index + 1, in_doubt: false, digest: self.digest.clone().finalize().to_vec() }
    }

    /// Whether the steps that an earlier run has done are still those of the file; `counted` is what [`Self::count`] gave for
    /// the last of them, `None` where the file has fewer now.
    pub fn is_of(&self, file: &File, counted: Option<&Progress>) -> Result<(), Halt> {
        match counted {
            Some(last) if last.digest == self.progress.digest => Ok(()),
            _ => Err(changed(file, self.progress.done, self.of)),
        }
    }

    /// What became of the steps before one that failed.
    pub fn rest(&self) -> String {
        match self.progress.done {
            0 => "none of the file's steps was done".to_owned(),
            done => format!("{done} of the file's {} steps are done and stay", self.of),
        }
    }
}

/// Whether the books have this file as applied.
pub fn is_applied(rows: &[Applied], file: &File) -> bool {
    rows.iter().any(|row| row.version == file.version && row.success)
}

/// A file that was begun, and nobody knows how far it came.
pub fn another_tools(file: &File) -> Halt {
    Halt::no(
        format!("{} is recorded as begun and not finished, by another tool than greenlight", file.name),
        format!(
            "See what of {} is done, undo it, delete the row of version {} from _sqlx_migrations; then redeploy.",
            file.name, file.version
        ),
    )
}

/// A database that another tool keeps the books of.
pub fn migrated_by(place: &str, table: &str, tool: &str) -> Halt {
    Halt::no(
        format!("{place} is migrated by another tool: it has {tool}'s table {table} and no _sqlx_migrations"),
        "Go on with that tool; or, if greenlight is to take over from here, create the table _sqlx_migrations with `sqlx \
         migrate info` and redeploy.",
    )
}

fn changed(file: &File, done: usize, of: usize) -> Halt {
    let done = counted(done, "step");
    Halt::no(
        format!(
            "{} was changed where an earlier run has already done {done} (it has {of} now); nothing more was done",
            file.name
        ),
        format!("Put the first {done} of {} back as before and correct only what follows; then redeploy.", file.name),
    )
}

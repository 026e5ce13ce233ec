//! Will blue survive it? A migration is applied while the old version still serves everybody, and may go on serving after
//! a rollback. Each statement of the pending files is judged twice: does it *break* blue's queries, and does it *block*
//! them with a lock whose length grows with the table.
//!
//! squawk-linter reads the grammar and knows most rules; what it cannot know is decided here: what an earlier pending file
//! has made is new and nobody's; a small table is rewritten before anybody notices; a check that is validated already makes
//! SET NOT NULL free. Without [`Facts`] everything is taken for large and in use. All this is PostgreSQL's; [`mysql`] does the same
//! for MySQL and MariaDB.

mod batch;
mod facts;
mod finding;
pub mod mysql;
mod name;
mod own;
mod squawk;
pub mod statements;
mod subject;
mod unit;

use std::collections::BTreeSet;

pub use facts::{Column, FEW_ROWS, Facts, Relation, SMALL};
pub use finding::{Finding, Harm, Weight};
pub use name::Name;

/// One pending file.
#[derive(Clone, Copy, Debug)]
pub struct Migration<'a> {
    /// Its name, as it is to be told.
    pub name: &'a str,
    /// Its text.
    pub sql: &'a str,
    /// Whether it is applied in one transaction.
    pub in_transaction: bool,
}

/// More statements than this are not estimated: they would take as long as applying them.
pub const ESTIMATED_AT_MOST: usize = 100;

/// What to ask the database before [`lint`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Questions {
    /// Relations that the files change.
    pub relations: BTreeSet<Name>,
    /// `UPDATE`s and their like, whose number of rows matters; of the first [`ESTIMATED_AT_MOST`].
    pub statements: BTreeSet<String>,
}

/// What the verdict on these files depends on.
pub fn questions(files: &[Migration<'_>]) -> Questions {
    on_a_deep_stack(|| {
        let mut questions = Questions::default();
        for unit in files.iter().flat_map(|file| unit::units(file.sql)) {
            let Some(stmt) = unit.stmt() else { continue };
            questions.relations.extend(subject::touched(&stmt));
            questions.relations.extend(subject::created(&stmt).and_then(|object| object.as_relation().cloned()));
            if own::locks_rows(&stmt) && questions.statements.len() < ESTIMATED_AT_MOST {
                questions.statements.insert(unit.text);
            }
        }
        questions
    })
}

/// What blue would suffer from these files, in the order in which they are applied. Of a file with thousands of findings the first
/// thousand that stop a deployment, and the first thousand remarks.
pub fn lint(files: &[Migration<'_>], facts: &Facts) -> Vec<Finding> {
    on_a_deep_stack(|| {
        let mut batch = batch::Batch::new(facts);
        files.iter().flat_map(|file| batch.judge(file)).collect()
    })
}

/// Statements are read by functions that call themselves, for `NOT NOT NOT …` as deep as the statement is long.
fn on_a_deep_stack<T: Send>(read: impl FnOnce() -> T + Send) -> T {
    /// Bytes; only what is used of them is taken.
    const STACK: usize = 256 * 1024 * 1024;
    std::thread::scope(|scope| {
        let reader = std::thread::Builder::new().name("sql".to_owned()).stack_size(STACK).spawn_scoped(scope, read);
        match reader.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(read)) => read,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            // Without memory for a thread nothing else would go on either.
            Err(error) => std::panic::panic_any(format!("no thread to read SQL: {error}")),
        }
    })
}

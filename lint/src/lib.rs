//! Will blue survive it? A migration is applied while the old version still serves everybody, and may go on serving after
//! a rollback. Each statement of the pending files is judged twice: does it *break* blue's queries, and does it *block*
//! them with a lock whose length grows with the table.
//!
//! squawk-linter reads the grammar and knows most rules; what it cannot know is decided here: what an earlier pending file
//! has made is new and nobody's; a small table is rewritten before anybody notices; a check that is validated already makes
//! SET NOT NULL free. Without [`Facts`] everything is taken for large and in use.

mod batch;
mod facts;
mod finding;
mod name;
mod own;
mod squawk;
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

/// What to ask the database before [`lint`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Questions {
    /// Relations that the files change.
    pub relations: BTreeSet<Name>,
    /// `UPDATE`s and `DELETE`s whose number of rows matters.
    pub statements: BTreeSet<String>,
}

/// What the verdict on these files depends on.
pub fn questions(files: &[Migration<'_>]) -> Questions {
    let mut questions = Questions::default();
    for unit in files.iter().flat_map(|file| unit::units(file.sql)) {
        let Some(stmt) = unit.stmt() else { continue };
        questions.relations.extend(subject::touched(&stmt));
        questions.relations.extend(subject::created(&stmt));
        if matches!(stmt, squawk_syntax::ast::Stmt::Update(_) | squawk_syntax::ast::Stmt::Delete(_)) {
            questions.statements.insert(unit.text);
        }
    }
    questions
}

/// What blue would suffer from these files, in the order in which they are applied.
pub fn lint(files: &[Migration<'_>], facts: &Facts) -> Vec<Finding> {
    let mut batch = batch::Batch::new(facts);
    files.iter().flat_map(|file| batch.judge(file)).collect()
}

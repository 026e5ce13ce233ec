//! The same for MySQL and MariaDB: will blue survive these files?
//!
//! Statements are read off their tokens, strictly: what is not known word for word is opaque. `sqlparser` (0.63) reads two thirds of
//! the usual DDL of MySQL, takes some of PostgreSQL's for it, and needs a stack as deep as the statement; clauses between commas
//! need none of that. DDL commits implicitly here, so [`Migration::in_transaction`] means nothing and is not looked at.

mod alter;
mod batch;
mod clause;
mod column;
mod cost;
mod kind;
mod name;
mod object;
mod reader;
mod rows;
mod rules;
pub mod statements;
mod unit;

pub use name::{column, table};

use crate::facts::Facts;
use crate::finding::Finding;
use crate::{ESTIMATED_AT_MOST, Migration, Questions};

/// What the verdict on these files depends on.
pub fn questions(files: &[Migration<'_>]) -> Questions {
    let mut questions = Questions::default();
    for unit in files.iter().flat_map(|file| unit::units(file.sql)) {
        for act in &unit.acts {
            questions
                .relations
                .extend(act.objects.iter().chain(&act.makes).filter_map(object::Object::as_relation).cloned());
            if act.rows.is_some() && questions.statements.len() < ESTIMATED_AT_MOST {
                questions.statements.insert(unit.text.to_owned());
            }
        }
    }
    questions
}

/// What blue would suffer from these files, in the order in which they are applied. Of a file with thousands of findings the first
/// thousand that stop a deployment, and the first thousand remarks.
pub fn lint(files: &[Migration<'_>], facts: &Facts) -> Vec<Finding> {
    let mut batch = batch::Batch::new(facts);
    files.iter().flat_map(|file| batch.judge(file)).collect()
}

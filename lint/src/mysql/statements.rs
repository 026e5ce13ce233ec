//! A file of SQL, taken apart into statements as MySQL and MariaDB do, with the bodies of routines kept whole.
//!
//! Comments that the server executes (`/*! … */`, `/*M! … */`) are part of their statement. Both modes of a session that would change
//! where a quote ends (`ANSI_QUOTES`, `NO_BACKSLASH_ESCAPES`) are taken to be off, as they are by default.

mod blocks;

pub(crate) use blocks::Blocks;

use crate::statements::Grammar;
pub use crate::statements::{DELIMITER, Statement, Statements, Token, Unclosed};

/// The statements of a file, one after the other. Ends after the first error. `DELIMITER` is one ([`DELIMITER`]): no server knows it.
pub fn statements(sql: &str) -> Statements<'_> {
    Statements::of(sql, Grammar::MySql)
}

#[cfg(test)]
mod tests;

//! Migrations of a database, PostgreSQL or MySQL and its kin, in sqlx's files and sqlx's ledger.
//!
//! One attempt connects, takes the lock, reads the ledger, applies what is missing and disconnects. It never waits: what
//! may become possible later ends the attempt with *not yet*, and the next attempt starts from the ledger again. So a
//! lost connection, a killed function and a second delivery are one case.

pub mod attempt;
pub mod fault;
pub mod files;
pub mod folder;
pub mod ledger;
pub mod lock_key;
pub mod mysql;
pub mod postgres;
pub mod source;
pub mod turn;

use std::fmt::Display;

pub use greenlight_database::Halt;

/// `1 step`, `3 steps`.
pub fn counted<N: Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    if count == N::from(1) { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// `1 file is`, `3 files are`.
pub fn files_are(count: usize) -> String {
    if count == 1 { "1 file is".to_owned() } else { format!("{count} files are") }
}

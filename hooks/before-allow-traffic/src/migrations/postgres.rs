//! PostgreSQL: a file in one transaction with its record, or step by step where it asks for that.

pub mod apply;
pub mod attempt;
pub mod fault;
pub mod indexes;
pub mod kind;
pub mod ledger;
pub mod lock;
pub mod session;
pub mod steps;

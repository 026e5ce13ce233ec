//! `migrations-apply` against a real PostgreSQL.
#![allow(
    clippy::unwrap_used,
    clippy::use_debug,
    clippy::disallowed_methods,
    missing_docs,
    reason = "tests: they stop at what is wrong and show it, and look for the programs of PostgreSQL"
)]

mod bad_input;
mod interruptions;
mod locks;
mod normal_life;
mod server;
mod sqlx_interop;
mod steps;
mod world;

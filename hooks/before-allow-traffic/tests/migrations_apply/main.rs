//! `migrations-apply` against a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::use_debug, missing_docs, reason = "tests")]

mod bad_input;
mod interruptions;
mod locks;
mod normal_life;
mod server;
mod sqlx_interop;
mod steps;
mod world;

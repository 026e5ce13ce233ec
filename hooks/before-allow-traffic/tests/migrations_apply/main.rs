//! `migrations-keep-blue-alive` and `migrations-apply` against a real PostgreSQL.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests: they stop at what is wrong and show it, and look for the programs of PostgreSQL"
)]

mod asked;
mod bad_input;
mod interruptions;
mod keep_blue_alive;
mod lines;
mod locks;
mod normal_life;
mod patience;
mod progress;
mod server;
mod sqlx_interop;
mod steps;
mod world;

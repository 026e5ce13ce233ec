//! The migrations against a real MariaDB.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests: they stop at what is wrong and show it, and look for the programs of MariaDB"
)]

#[path = "../migrations_apply/asked.rs"]
mod asked;
mod bad_input;
mod crashes;
mod cuts;
mod interruptions;
mod keep_blue_alive;
#[path = "../migrations_apply/lines.rs"]
mod lines;
mod locks;
mod normal_life;
#[path = "../migrations_apply/patience.rs"]
mod patience;
mod progress;
mod server;
mod sqlx_interop;
mod steps;
mod world;

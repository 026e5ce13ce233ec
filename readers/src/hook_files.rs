//! Files of hooks, each taken alone: a whole hook would bring every crate of AWS into a build for fuzzing.

#[path = "../../hooks/report-failure/src/death.rs"]
pub mod death;
#[path = "../../hooks/report-failure/src/last_words.rs"]
pub mod last_words;
#[path = "../../hooks/before-allow-traffic/src/migrations/files.rs"]
pub mod migrations;

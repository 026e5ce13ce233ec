//! What only the hook before production traffic does: migrating the database while blue still serves everybody, and what
//! waits for it.

pub mod after_migrations;
pub mod migrations;
pub mod migrations_apply;
pub mod settings;

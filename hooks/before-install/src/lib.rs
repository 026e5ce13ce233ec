//! What only the hook before everything does: connecting to the database, long before anything depends on it.

pub mod database_is_available;

pub use self::database_is_available::DatabaseIsAvailable;

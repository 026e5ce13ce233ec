//! What a database's errors mean for a migration, whatever the engine: what to say, what to do.

use std::time::Duration;

use greenlight::check::CannotTell;
pub use greenlight_database::fault::{Class, class, jittered, mysql_number, sqlstate, words};

use super::Halt;

/// Where an engine's people look and what they grant.
pub struct Advice {
    /// What shows who keeps it busy: `pg_stat_activity`.
    pub activity: &'static str,
    /// The rights that the migration's user needs.
    pub rights: &'static str,
}

/// The end of an attempt because one of our own questions, not a migration's statement, went wrong.
/// `what` was asked: `the ledger`.
pub fn halt(what: &str, place: &str, error: &sqlx::Error, advice: &Advice) -> Halt {
    let said = words(error);
    match class(error) {
        Class::Lost => CannotTell {
            asked: format!("{what} of {place}: the connection was lost"),
            remedy: "Look at the database's events for a failover or restart, then redeploy: what is recorded is not \
                     applied twice."
                .to_owned(),
            transient: true,
            source: Some(said.into()),
        }
        .into(),
        Class::Busy | Class::Unready => Halt::not_yet(
            format!("{what} of {place}: {said}"),
            jittered(Duration::from_secs(2)),
            format!("Find out what keeps the database busy ({}), then redeploy.", advice.activity),
        ),
        Class::Cancelled => Halt::no(
            format!("{what} of {place}: {said}"),
            format!("Find out what kept it waiting or who ended it ({}), then redeploy.", advice.activity),
        ),
        Class::Refused => Halt::no(
            format!("{what} of {place}: {said}"),
            format!(
                "Give the migration's user the rights it needs on schema and ledger ({}), then redeploy.",
                advice.rights
            ),
        ),
    }
}

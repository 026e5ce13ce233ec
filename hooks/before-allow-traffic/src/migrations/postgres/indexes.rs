//! Indexes that were built concurrently, and what an interrupted build leaves behind.
//!
//! A broken build leaves an invalid index that costs every write and serves no read, and that `IF NOT EXISTS` takes for
//! the index it was to be.

use std::time::Duration;

use super::fault::{halt, jittered};
use super::session::Session;
use crate::migrations::Halt;

/// What there is under an index's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A good index.
    Valid,
    /// What a broken build left: the index, with its schema and quoted.
    Invalid(String),
}

/// What there is under this name on this table, both as written in the migration.
pub async fn look(session: &mut Session, name: &str, table: &str) -> Result<Found, Halt> {
    const SQL: &str = "SELECT format('%I.%I', n.nspname, c.relname), i.indisvalid, \
         (SELECT min(p.pid) FROM pg_stat_progress_create_index p \
          WHERE p.index_relid = i.indexrelid AND p.datname = current_database()) \
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE i.indrelid = to_regclass($1) AND c.relname = (parse_ident($2))[1]::name";
    let found: Option<(String, bool, Option<i32>)> = sqlx::query_as(SQL)
        .persistent(false)
        .bind(table)
        .bind(name)
        .fetch_optional(&mut session.connection)
        .await
        .map_err(|error| halt(&format!("the index {name}"), &session.place, error))?;
    match found {
        None => Ok(Found::Nothing),
        Some((_, true, _)) => Ok(Found::Valid),
        Some((index, false, None)) => Ok(Found::Invalid(index)),
        Some((index, false, Some(pid))) => Err(Halt::not_yet(
            format!("index {index} of {} is being built by pid {pid}", session.place),
            jittered(Duration::from_secs(2)),
            "Let it finish, then redeploy.",
        )),
    }
}

/// Whether there is no index of this name, as written.
pub async fn is_gone(session: &mut Session, name: &str) -> Result<bool, Halt> {
    sqlx::query_scalar("SELECT to_regclass($1) IS NULL")
        .persistent(false)
        .bind(name)
        .fetch_one(&mut session.connection)
        .await
        .map_err(|error| halt(&format!("the index {name}"), &session.place, error))
}

/// Drops what a broken build left under this name, if anything.
pub async fn clear(session: &mut Session, name: &str, table: &str) -> Result<(), Halt> {
    if let Found::Invalid(index) = look(session, name, table).await? {
        tracing::warn!(index, "dropping an invalid index, left by a build that was interrupted");
        let dropped = session.run(&format!("DROP INDEX CONCURRENTLY IF EXISTS {index}")).await;
        dropped.map_err(|error| halt(&format!("the invalid index {index}"), &session.place, error))?;
    }
    Ok(())
}

/// Every invalid index that nobody is building, with its table.
pub async fn invalid(session: &mut Session) -> Result<Vec<String>, Halt> {
    const SQL: &str = "SELECT format('%I.%I on %s', n.nspname, c.relname, i.indrelid::regclass) FROM pg_index i \
         JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE NOT i.indisvalid AND c.relkind = 'i' AND NOT EXISTS \
         (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid \
          AND p.datname = current_database()) ORDER BY 1";
    sqlx::query_scalar(SQL)
        .persistent(false)
        .fetch_all(&mut session.connection)
        .await
        .map_err(|error| halt("the indexes", &session.place, error))
}

//! sqlx's advisory lock: whoever migrates this database with sqlx excludes us, and we them.
//!
//! Asked for, never waited for: a session that waits in `pg_advisory_lock` while the holder builds an index concurrently
//! deadlocks with it.

use std::time::Duration;

use super::fault::{halt, jittered};
use super::session::Session;
use crate::migrations::Halt;
use crate::migrations::lock_key::key_for;

/// How long until the lock is asked for again.
const AGAIN: Duration = Duration::from_millis(500);

type Holder = (i32, String, String, String, String);

/// Takes the lock, or says who has it.
pub async fn take(session: &mut Session) -> Result<(), Halt> {
    let key = key(session).await?;
    let taken: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
        .persistent(false)
        .bind(key)
        .fetch_one(&mut session.connection)
        .await
        .map_err(|error| halt("the migration lock", &session.place, error))?;
    if taken { verify(session).await } else { Err(held(session, key).await?) }
}

/// Whether this very backend holds it. Behind a pooler that shares backends it would not, and two could migrate at once.
pub async fn verify(session: &mut Session) -> Result<(), Halt> {
    const SQL: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = pg_backend_pid() \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
         AND classid::bigint = $1 >> 32 AND objid::bigint = $1 & 4294967295 AND objsubid = 1";
    let key = key(session).await?;
    let held: i64 = sqlx::query_scalar(SQL)
        .persistent(false)
        .bind(key)
        .fetch_one(&mut session.connection)
        .await
        .map_err(|error| halt("the migration lock", &session.place, error))?;
    if held > 0 {
        return Ok(());
    }
    Err(Halt::no(
        format!("the migration lock of {} was not kept by our connection", session.place),
        "Name the database itself, not a pooler that shares connections between clients; take \
         pg_advisory_unlock_all and DISCARD ALL out of the migrations; then redeploy.",
    ))
}

/// Gives it back.
pub async fn release(session: &mut Session) {
    if let Ok(key) = key(session).await {
        let query = sqlx::query("SELECT pg_advisory_unlock($1)").persistent(false).bind(key);
        // Closing the connection frees it as well.
        let _ = query.execute(&mut session.connection).await;
    }
}

async fn key(session: &mut Session) -> Result<i64, Halt> {
    if let Some(key) = session.lock_key {
        return Ok(key);
    }
    let name: String = sqlx::query_scalar("SELECT current_database()::text")
        .persistent(false)
        .fetch_one(&mut session.connection)
        .await
        .map_err(|error| halt("the name", &session.place, error))?;
    Ok(*session.lock_key.insert(key_for(&name)))
}

async fn held(session: &mut Session, key: i64) -> Result<Halt, Halt> {
    const SQL: &str = "SELECT a.pid, coalesce(nullif(a.application_name, ''), 'an application without a name'), \
         coalesce(host(a.client_addr), 'a local socket'), \
         to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), \
         coalesce(a.state || ' since ' || to_char(a.state_change AT TIME ZONE 'UTC', 'HH24:MI:SS'), 'in an unknown state') \
         FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
         WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
         AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
         AND l.classid::bigint = $1 >> 32 AND l.objid::bigint = $1 & 4294967295";
    let holder: Option<Holder> = sqlx::query_as(SQL)
        .persistent(false)
        .bind(key)
        .fetch_optional(&mut session.connection)
        .await
        .map_err(|error| halt("the holder of the migration lock", &session.place, error))?;
    let place = &session.place;
    Ok(match holder {
        None => Halt::not_yet(
            format!("the migration lock of {place} was held by another session, which has just given it back"),
            jittered(AGAIN),
            "Redeploy.",
        ),
        Some((pid, application, address, connected, state)) => Halt::not_yet(
            format!(
                "the migration lock of {place} is held by pid {pid} ({application}, from {address}, connected since \
                 {connected} UTC, {state})"
            ),
            jittered(AGAIN),
            format!(
                "Let it finish; if nobody is behind it any more, SELECT pg_terminate_backend({pid}); then redeploy."
            ),
        ),
    })
}

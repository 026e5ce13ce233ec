//! sqlx's user-level lock: whoever migrates this database with sqlx excludes us, and we them.
//!
//! Asked for, never waited for: who waits in `GET_LOCK` says nothing until the function is killed. The server frees it with
//! the session that holds it, and not before a statement that runs there has ended: whoever gets it knows that nobody's
//! migration is still at work.
//!
//! sqlx waits for it for `-1` seconds, which is for ever to MySQL, and an error that sqlx does not look at to MariaDB. There
//! sqlx runs without the lock: then the row that each of us writes before a file's first statement excludes the other.

use std::time::Duration;

use super::fault::{halt, jittered};
use super::session::Session;
use crate::migrations::Halt;
use crate::migrations::lock_key::key_for;

/// How long until the lock is asked for again.
const AGAIN: Duration = Duration::from_millis(500);

/// Id, user, host, seconds in its state, command, what it runs.
type Holder = (i64, String, String, Option<i64>, String, Option<String>);

/// sqlx's name for the lock of a database.
pub fn name_for(database: &str) -> String {
    format!("{:x}", key_for(database))
}

/// Takes the lock, or says who has it.
pub async fn take(session: &mut Session<'_>) -> Result<(), Halt> {
    let taken: Option<i64> = sqlx::query_scalar("SELECT GET_LOCK(?, 0)")
        .bind(session.lock_name.clone())
        .fetch_one(&mut session.connection)
        .await
        .map_err(|error| halt("the migration lock", &session.place, error))?;
    if taken == Some(1) { verify(session).await } else { Err(held(session).await?) }
}

/// Whether this very session holds it. Behind a pooler that shares sessions it would not, and two could migrate at once.
pub async fn verify(session: &mut Session<'_>) -> Result<(), Halt> {
    let held: i64 = sqlx::query_scalar("SELECT CAST(COALESCE(IS_USED_LOCK(?) = CONNECTION_ID(), 0) AS SIGNED)")
        .bind(session.lock_name.clone())
        .fetch_one(&mut session.connection)
        .await
        .map_err(|error| halt("the migration lock", &session.place, error))?;
    if held == 1 {
        return Ok(());
    }
    Err(Halt::no(
        format!("the migration lock of {} was not kept by our connection", session.place),
        "Name the database itself, not a pooler or proxy that shares connections between clients; take RELEASE_LOCK and \
         RELEASE_ALL_LOCKS out of the routines that migrations call; then redeploy.",
    ))
}

/// Gives it back.
pub async fn release(session: &mut Session<'_>) {
    let query = sqlx::query("DO RELEASE_LOCK(?)").bind(session.lock_name.clone());
    // Closing the connection frees it as well.
    let _ = query.execute(&mut session.connection).await;
}

async fn held(session: &mut Session<'_>) -> Result<Halt, Halt> {
    let place = session.place.clone();
    let id: Option<i64> = sqlx::query_scalar("SELECT CAST(IS_USED_LOCK(?) AS SIGNED)")
        .bind(session.lock_name.clone())
        .fetch_one(&mut session.connection)
        .await
        .map_err(|error| halt("the holder of the migration lock", &place, error))?;
    let Some(id) = id else {
        return Ok(Halt::not_yet(
            format!("the migration lock of {place} was held by another session, which has just given it back"),
            jittered(AGAIN),
            "Redeploy.",
        ));
    };
    // Without the right PROCESS a user sees the sessions of its own name only.
    const SQL: &str = "SELECT CAST(id AS SIGNED), CAST(user AS CHAR), CAST(host AS CHAR), CAST(time AS SIGNED), \
         CAST(command AS CHAR), CAST(LEFT(info, 200) AS CHAR) FROM information_schema.processlist WHERE id = ?";
    let query = sqlx::query_as(SQL).bind(id);
    let holder: Option<Holder> = query.fetch_optional(&mut session.connection).await.ok().flatten();
    let who = match holder {
        None => format!("session {id}"),
        Some((_, user, host, seconds, command, info)) => {
            let caller = info.as_deref().and_then(caller).map(|caller| format!("{caller}, ")).unwrap_or_default();
            let since = seconds.map(|seconds| format!(" for {seconds} s")).unwrap_or_default();
            let command = if command == "Sleep" { "idle".to_owned() } else { format!("in {command}") };
            format!("session {id} ({caller}user {user} from {host}, {command}{since})")
        }
    };
    Ok(Halt::not_yet(
        format!("the migration lock of {place} is held by {who}"),
        jittered(AGAIN),
        format!("Let it finish; if nobody is behind it any more, KILL {id}; then redeploy."),
    ))
}

/// Who we are stands before each statement of a migration, for the list of sessions has no other place for it.
pub fn mark(caller: &str) -> String {
    format!("/* {} */ ", caller.replace("*/", ""))
}

/// What [`mark`] wrote; nothing else of a statement, which may hold secrets.
fn caller(info: &str) -> Option<&str> {
    info.strip_prefix("/* greenlight ").map(|_| &info[3..])?.split_once(" */").map(|(caller, _)| caller)
}

#[cfg(test)]
mod tests {
    use super::{caller, mark, name_for};

    #[test]
    fn the_name_is_the_hexadecimal_key() {
        assert_eq!(name_for(""), "0");
        assert_eq!(name_for("123456789"), format!("{:x}", 0x3d32_ad9e_i64 * 0xcbf4_3926_i64));
    }

    #[test]
    fn of_a_statement_only_our_own_words_are_told() {
        let marked = format!("{}ALTER USER a IDENTIFIED BY 'secret'", mark("greenlight before-allow-traffic d-1"));
        assert_eq!(caller(&marked), Some("greenlight before-allow-traffic d-1"));
        assert_eq!(caller("/* secret */ SELECT 1"), None);
    }
}

//! What is recorded as applied: sqlx's table, and beside it how far a file has come.

use std::time::Duration;

use super::fault::halt;
use super::session::Session;
use crate::migrations::Halt;
use crate::migrations::files::File;
use crate::migrations::ledger::{Applied, OTHER_TOOLS, Progress, migrated_by};

/// sqlx's own words: <https://github.com/launchbadge/sqlx/blob/v0.9.0/sqlx-mysql/src/migrate.rs>.
const LEDGER: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, \
     installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BLOB NOT NULL, \
     execution_time BIGINT NOT NULL)";

/// A record belongs to one transaction with the rows that it tells of, whatever engine tables have by default.
const STEPS: &str = "CREATE TABLE IF NOT EXISTS _greenlight_steps (version BIGINT PRIMARY KEY, done INTEGER NOT NULL, \
     in_doubt BOOLEAN NOT NULL, digest BLOB NOT NULL, doubted BLOB, definition BLOB) ENGINE = InnoDB";

/// How far a file has come, and what is known of the step in doubt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The steps.
    pub progress: Progress,
    /// Of the step in doubt.
    pub doubt: Doubt,
}

/// What is known of a step in doubt, and nothing where none is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doubt {
    /// Checksum of the steps with this one: it must be the same still.
    pub doubted: Option<Vec<u8>>,
    /// Checksum of the definition of the table that it changes, before; `None` where it changes none.
    pub definition: Option<Vec<u8>>,
}

type Row = (i32, bool, Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>);

/// Whether this database has a ledger.
pub async fn is_there(session: &mut Session<'_>) -> Result<bool, Halt> {
    Ok(!tables(session, &["_sqlx_migrations"]).await?.is_empty())
}

/// Makes an empty one, exactly sqlx's, unless another tool keeps the books of this database.
pub async fn create(session: &mut Session<'_>) -> Result<(), Halt> {
    let there = tables(session, &OTHER_TOOLS.map(|(table, _)| table)).await?;
    if let Some((table, tool)) = OTHER_TOOLS.iter().find(|(table, _)| there.iter().any(|it| it == table)) {
        return Err(migrated_by(&session.place, table, tool));
    }
    session.run(LEDGER).await.map_err(|error| halt("a new ledger", &session.place, error))
}

/// Those of these tables that there are, in lower case.
async fn tables(session: &mut Session<'_>, names: &[&str]) -> Result<Vec<String>, Halt> {
    let listed = names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "SELECT CAST(LOWER(table_name) AS CHAR) FROM information_schema.tables \
         WHERE table_schema = DATABASE() AND LOWER(table_name) IN ({listed})"
    );
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .fetch_all(&mut session.connection)
        .await
        .map_err(|error| halt("the ledger", &session.place, error))
}

/// All rows, by version.
pub async fn rows(session: &mut Session<'_>) -> Result<Vec<Applied>, Halt> {
    const SQL: &str = "SELECT version, success, checksum FROM _sqlx_migrations ORDER BY version";
    session.heard().map_err(|error| halt("the ledger", &session.place, error))?;
    let rows: Vec<(i64, bool, Vec<u8>)> = sqlx::query_as(SQL)
        .fetch_all(&mut session.connection)
        .await
        .map_err(|error| halt("the ledger", &session.place, error))?;
    Ok(rows.into_iter().map(|(version, success, checksum)| Applied { version, success, checksum }).collect())
}

/// How far this file has come; `None` if it was not begun.
pub async fn position(session: &mut Session<'_>, file: &File) -> Result<Option<Position>, Halt> {
    const SQL: &str = "SELECT done, in_doubt, digest, doubted, definition FROM _greenlight_steps WHERE version = ?";
    if tables(session, &["_greenlight_steps"]).await?.is_empty() {
        return Ok(None);
    }
    let found: Option<Row> = sqlx::query_as(SQL)
        .bind(file.version)
        .fetch_optional(&mut session.connection)
        .await
        .map_err(|error| halt(&file.name, &session.place, error))?;
    Ok(found.map(|(done, in_doubt, digest, doubted, definition)| Position {
        progress: Progress { done: usize::try_from(done).unwrap_or(0), in_doubt, digest },
        doubt: Doubt { doubted, definition },
    }))
}

/// Books a file as begun: unfinished for sqlx, which then keeps its hands off it; no step done for us.
pub async fn begin(session: &mut Session<'_>, file: &File) -> Result<(), sqlx::Error> {
    session.run(STEPS).await?;
    session.run("START TRANSACTION").await?;
    const SQL: &str = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (?, ?, FALSE, ?, -1)";
    sqlx::query(SQL)
        .bind(file.version)
        .bind(&file.description)
        .bind(&file.checksum)
        .execute(&mut session.connection)
        .await?;
    keep(session, file, &Position::default()).await?;
    session.run("COMMIT").await
}

/// Books how far a file has come.
pub async fn keep(session: &mut Session<'_>, file: &File, position: &Position) -> Result<(), sqlx::Error> {
    const SQL: &str = "REPLACE INTO _greenlight_steps (version, done, in_doubt, digest, doubted, definition) VALUES (?, ?, ?, ?, ?, ?)";
    sqlx::query(SQL)
        .bind(file.version)
        .bind(i32::try_from(position.progress.done).unwrap_or(i32::MAX))
        .bind(position.progress.in_doubt)
        .bind(&position.progress.digest)
        .bind(&position.doubt.doubted)
        .bind(&position.doubt.definition)
        .execute(&mut session.connection)
        .await?;
    Ok(())
}

/// Books a file as finished, and forgets its steps.
pub async fn finish(session: &mut Session<'_>, file: &File, took: Duration) -> Result<(), sqlx::Error> {
    session.run("START TRANSACTION").await?;
    // An insert where the file itself has cleared the ledger.
    const SQL: &str = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (?, ?, TRUE, ?, ?) ON DUPLICATE KEY UPDATE success = TRUE, checksum = VALUES(checksum), \
         execution_time = VALUES(execution_time)";
    sqlx::query(SQL)
        .bind(file.version)
        .bind(&file.description)
        .bind(&file.checksum)
        .bind(i64::try_from(took.as_nanos()).unwrap_or(-1))
        .execute(&mut session.connection)
        .await?;
    forget_steps(session, file).await?;
    session.run("COMMIT").await
}

/// As if a file had never been begun. Only when none of its steps was.
pub async fn forget(session: &mut Session<'_>, file: &File) -> Result<(), sqlx::Error> {
    session.run("START TRANSACTION").await?;
    const SQL: &str = "DELETE FROM _sqlx_migrations WHERE version = ? AND NOT success";
    sqlx::query(SQL).bind(file.version).execute(&mut session.connection).await?;
    forget_steps(session, file).await?;
    session.run("COMMIT").await
}

async fn forget_steps(session: &mut Session<'_>, file: &File) -> Result<(), sqlx::Error> {
    const SQL: &str = "DELETE FROM _greenlight_steps WHERE version = ?";
    sqlx::query(SQL).bind(file.version).execute(&mut session.connection).await?;
    Ok(())
}

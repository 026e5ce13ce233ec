//! What is recorded as applied: sqlx's table, and beside it how far a file without a transaction has come.

use sqlx::AssertSqlSafe;

use super::fault::halt;
use super::session::Session;
use crate::migrations::Halt;
use crate::migrations::files::File;
use crate::migrations::ledger::{Applied, OTHER_TOOLS, Progress, migrated_by};

/// sqlx's table, and ours beside it, both in the schema in which sqlx's was found.
pub struct Ledger {
    table: String,
    steps: String,
}

impl Ledger {
    /// The ledger of this database; `None` if it has none yet.
    pub async fn find(session: &mut Session) -> Result<Option<Self>, Halt> {
        const SQL: &str = "SELECT format('%I.%I', n.nspname, c.relname), format('%I._greenlight_steps', n.nspname) \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('_sqlx_migrations')";
        let found: Option<(String, String)> = sqlx::query_as(SQL)
            .persistent(false)
            .fetch_optional(&mut session.connection)
            .await
            .map_err(|error| halt("the ledger", &session.place, error))?;
        Ok(found.map(|(table, steps)| Self { table, steps }))
    }

    /// Makes an empty one, exactly sqlx's, unless another tool keeps the books of this database.
    pub async fn create(session: &mut Session) -> Result<Self, Halt> {
        for (table, tool) in OTHER_TOOLS {
            let there: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
                .persistent(false)
                .bind(table)
                .fetch_one(&mut session.connection)
                .await
                .map_err(|error| halt("the ledger", &session.place, error))?;
            if there {
                return Err(migrated_by(&session.place, table, tool));
            }
        }
        let made = session
            .run(
                "CREATE TABLE IF NOT EXISTS _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, \
                 installed_on TIMESTAMPTZ NOT NULL DEFAULT now(), success BOOLEAN NOT NULL, checksum BYTEA NOT NULL, \
                 execution_time BIGINT NOT NULL)",
            )
            .await;
        made.map_err(|error| halt("a new ledger", &session.place, error))?;
        let found = Self::find(session).await?;
        found.ok_or_else(|| {
            Halt::no(
                format!("{} took a new table _sqlx_migrations, but its user does not see it", session.place),
                "Give the migration's user a search_path that begins with the schema it creates tables in; then redeploy.",
            )
        })
    }

    /// All rows, by version.
    pub async fn rows(&self, session: &mut Session) -> Result<Vec<Applied>, Halt> {
        let sql = format!("SELECT version, success, checksum FROM {} ORDER BY version", self.table);
        let rows: Vec<(i64, bool, Vec<u8>)> = sqlx::query_as(AssertSqlSafe(sql))
            .persistent(false)
            .fetch_all(&mut session.connection)
            .await
            .map_err(|error| halt("the ledger", &session.place, error))?;
        Ok(rows.into_iter().map(|(version, success, checksum)| Applied { version, success, checksum }).collect())
    }

    /// Books a file as applied. Called in the file's own transaction.
    pub async fn book(&self, session: &mut Session, file: &File, took: std::time::Duration) -> Result<(), sqlx::Error> {
        let sql = format!(
            "INSERT INTO {} (version, description, success, checksum, execution_time) VALUES ($1, $2, TRUE, $3, $4) \
             ON CONFLICT (version) DO UPDATE SET success = TRUE, checksum = excluded.checksum, \
             execution_time = excluded.execution_time",
            self.table
        );
        self.write(session, sql, file, i64::try_from(took.as_nanos()).unwrap_or(-1)).await
    }

    /// How far this file has come; `None` if it was not begun.
    pub async fn progress(&self, session: &mut Session, file: &File) -> Result<Option<Progress>, sqlx::Error> {
        let there: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
            .persistent(false)
            .bind(&self.steps)
            .fetch_one(&mut session.connection)
            .await?;
        if !there {
            return Ok(None);
        }
        let sql = format!("SELECT done, in_doubt, digest FROM {} WHERE version = $1", self.steps);
        let found: Option<(i32, bool, Vec<u8>)> = sqlx::query_as(AssertSqlSafe(sql))
            .persistent(false)
            .bind(file.version)
            .fetch_optional(&mut session.connection)
            .await?;
        Ok(found.map(|(done, in_doubt, digest)| Progress {
            done: usize::try_from(done).unwrap_or(0),
            in_doubt,
            digest,
        }))
    }

    /// Books a file as begun: unfinished for sqlx, which then keeps its hands off it; no step done for us.
    pub async fn begin(&self, session: &mut Session, file: &File) -> Result<(), sqlx::Error> {
        let table = format!(
            "CREATE TABLE IF NOT EXISTS {} (version BIGINT PRIMARY KEY, done INTEGER NOT NULL, in_doubt BOOLEAN NOT NULL, \
             digest BYTEA NOT NULL)",
            self.steps
        );
        session.run("BEGIN").await?;
        session.run(&table).await?;
        let sql = format!(
            "INSERT INTO {} (version, description, success, checksum, execution_time) VALUES ($1, $2, FALSE, $3, $4)",
            self.table
        );
        self.write(session, sql, file, -1).await?;
        self.keep(session, file, &Progress::default()).await?;
        session.run("COMMIT").await?;
        Ok(())
    }

    /// Books how far a file has come.
    pub async fn keep(&self, session: &mut Session, file: &File, progress: &Progress) -> Result<(), sqlx::Error> {
        let sql = format!(
            "INSERT INTO {} (version, done, in_doubt, digest) VALUES ($1, $2, $3, $4) ON CONFLICT (version) \
             DO UPDATE SET done = excluded.done, in_doubt = excluded.in_doubt, digest = excluded.digest",
            self.steps
        );
        sqlx::query(AssertSqlSafe(sql))
            .persistent(false)
            .bind(file.version)
            .bind(i32::try_from(progress.done).unwrap_or(i32::MAX))
            .bind(progress.in_doubt)
            .bind(&progress.digest)
            .execute(&mut session.connection)
            .await?;
        Ok(())
    }

    /// Books a file as finished, and forgets its steps.
    pub async fn finish(
        &self,
        session: &mut Session,
        file: &File,
        took: std::time::Duration,
    ) -> Result<(), sqlx::Error> {
        session.run("BEGIN").await?;
        self.book(session, file, took).await?;
        self.forget_steps(session, file).await?;
        session.run("COMMIT").await?;
        Ok(())
    }

    /// As if a file had never been begun. Only when none of its steps was.
    pub async fn forget(&self, session: &mut Session, file: &File) -> Result<(), sqlx::Error> {
        session.run("BEGIN").await?;
        let sql = format!("DELETE FROM {} WHERE version = $1 AND NOT success", self.table);
        let query = sqlx::query(AssertSqlSafe(sql)).persistent(false).bind(file.version);
        query.execute(&mut session.connection).await?;
        self.forget_steps(session, file).await?;
        session.run("COMMIT").await?;
        Ok(())
    }

    async fn forget_steps(&self, session: &mut Session, file: &File) -> Result<(), sqlx::Error> {
        let sql = format!("DELETE FROM {} WHERE version = $1", self.steps);
        let query = sqlx::query(AssertSqlSafe(sql)).persistent(false).bind(file.version);
        query.execute(&mut session.connection).await?;
        Ok(())
    }

    async fn write(&self, session: &mut Session, sql: String, file: &File, took: i64) -> Result<(), sqlx::Error> {
        let query = sqlx::query(AssertSqlSafe(sql))
            .persistent(false)
            .bind(file.version)
            .bind(&file.description)
            .bind(&file.checksum)
            .bind(took);
        query.execute(&mut session.connection).await?;
        Ok(())
    }
}

//! The one connection of an attempt: opened, bounded in time, closed whatever happens.
//!
//! Never from a pool: the lock belongs to the connection, and a function that is frozen with a pooled one keeps it.

use std::time::Duration;

use greenlight::deadline::Deadline;
use greenlight_database::connection::GOODBYE;
use greenlight_database::login::Login;
use greenlight_database::postgres;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};
use tokio::time::timeout;

use super::fault::halt;
use super::lock;
use crate::migrations::Halt;

/// Kept between the server's own end of a statement and ours, so that its message still arrives.
const MARGIN: Duration = Duration::from_secs(1);
/// Statements that wait for old transactions without making anybody wait get this long for a lock, or what is left.
const POLITE_LOCK_TIMEOUT: Duration = Duration::from_secs(600);
/// Lets a server that works for a killed function stop by itself. PostgreSQL has it since 14, and not on every system.
const NOTICE_OUR_END: &str = "; SET client_connection_check_interval = 2000";

/// A connection with a deadline.
pub struct Session {
    /// The connection itself.
    pub connection: PgConnection,
    /// `orders on db.example.com:5432`.
    pub place: String,
    /// When our questions end.
    pub deadline: Deadline,
    /// How long a statement may wait for a lock while others queue behind it.
    pub lock_timeout: Duration,
    /// Whether the current file has its own idea of how long its statements may run and wait. Then ours stand back: our
    /// deadline still ends it.
    pub file_sets_limits: bool,
    /// The key of the migration lock, once asked for.
    pub lock_key: Option<i64>,
    /// What the server was last told about the time left.
    told: Duration,
    /// Whether the server can notice by itself that a function was killed while it worked for it.
    notices_our_end: bool,
}

impl Session {
    /// Connects.
    pub async fn open(login: &Login, caller: &str, deadline: Deadline, lock_timeout: Duration) -> Result<Self, Halt> {
        let connection = postgres::open(login, caller, deadline.left_for_questions()).await?;
        Ok(Self {
            connection,
            place: login.place(),
            deadline,
            lock_timeout,
            file_sets_limits: false,
            lock_key: None,
            told: Duration::ZERO,
            notices_our_end: false,
        })
    }

    /// Says goodbye, so that the server frees the lock now and not when it notices.
    pub async fn close(self) {
        if timeout(GOODBYE, self.connection.close()).await.is_err() {
            tracing::debug!("the database did not answer our goodbye");
        }
    }

    /// Runs SQL as it stands, without parameters. The rows it touched.
    pub async fn run(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        let result = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection).await?;
        Ok(result.rows_affected())
    }

    /// A session as if newly connected, with our limits: nothing of one file leaks into the next. Still holding the lock.
    pub async fn start_over(&mut self) -> Result<(), Halt> {
        let done = self.run("RESET SESSION AUTHORIZATION; RESET ALL; DISCARD TEMP; CLOSE ALL").await;
        done.map_err(|error| halt("the session's settings", &self.place, error))?;
        (self.told, self.file_sets_limits) = (Duration::ZERO, false);
        self.limit_as_usual().await.map_err(|error| halt("the session's settings", &self.place, error))?;
        lock::verify(self).await
    }

    /// Tells the server how long a statement may run and wait, if that changed by more than a second.
    pub async fn keep_limits(&mut self) -> Result<(), sqlx::Error> {
        if self.left() + Duration::from_secs(1) < self.told { self.limit_as_usual().await } else { Ok(()) }
    }

    /// For a statement behind which others queue while it waits.
    pub async fn limit_as_usual(&mut self) -> Result<(), sqlx::Error> {
        self.limit(self.lock_timeout).await
    }

    /// For a statement that makes nobody wait.
    pub async fn limit_politely(&mut self) -> Result<(), sqlx::Error> {
        self.limit(POLITE_LOCK_TIMEOUT.max(self.lock_timeout)).await
    }

    async fn limit(&mut self, lock_timeout: Duration) -> Result<(), sqlx::Error> {
        if self.file_sets_limits {
            return Ok(());
        }
        let left = self.left();
        let sql = format!(
            "SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = 60000{}",
            left.as_millis().max(1),
            lock_timeout.min(left).as_millis().max(1),
            if self.notices_our_end { NOTICE_OUR_END } else { "" },
        );
        self.run(&sql).await?;
        self.told = left;
        Ok(())
    }

    /// What a statement may still take.
    fn left(&self) -> Duration {
        self.deadline.left_for_questions().saturating_sub(MARGIN)
    }

    /// Why this server takes no writes; `None` when it does.
    pub async fn why_read_only(&mut self) -> Result<Option<&'static str>, Halt> {
        let why = postgres::why_read_only(&mut self.connection).await;
        let why = why.map_err(|error| halt("the writer", &self.place, error))?;
        self.notices_our_end = self.run(NOTICE_OUR_END).await.is_ok();
        Ok(why)
    }
}

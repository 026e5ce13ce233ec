//! The one connection of an attempt: opened, bounded in time, closed whatever happens.
//!
//! The lock and the statements share it on purpose. On a connection of its own the lock would be free as soon as a function
//! is killed, while the server still works on that function's last statement.
//!
//! Our own questions stay prepared. Closing them after each use, as for PostgreSQL, would cost 40 ms every time: the server does
//! not answer that message, so the next one waits in the kernel for an acknowledgement that is itself delayed.

use std::io;
use std::pin::pin;
use std::time::Duration;

use greenlight::deadline::Deadline;
use greenlight_database::connection::GOODBYE;
use greenlight_database::login::Login;
use greenlight_database::mysql;
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Connection};
use tokio::time::timeout;

use super::fault::halt;
use super::inspection::Server;
use super::lock;
use crate::migrations::Halt;

/// How long it may take to tell the server to stop a statement, from a second connection.
const STOP: Duration = Duration::from_secs(1);
/// How long a statement that was stopped may take to say so.
const HEED: Duration = Duration::from_secs(1);

/// A connection with a deadline.
pub struct Session<'a> {
    /// The connection itself.
    pub connection: MySqlConnection,
    /// `orders on db.example.com:3306`.
    pub place: String,
    /// When our questions end.
    pub deadline: Deadline,
    /// sqlx's name for the lock of this database.
    pub lock_name: String,
    /// How the server reads a file.
    pub server: Server,
    /// Whether the current file has its own idea of how long its statements may run and wait. Then ours stand back: our
    /// deadline still ends it.
    pub file_sets_limits: bool,
    /// Whether a file has left something behind in the session: a variable, a prepared statement, a temporary table.
    pub marked: bool,
    login: &'a Login,
    caller: String,
    lock_timeout: Duration,
    /// The server's own number for this connection.
    id: i64,
    /// Whether the server is a MariaDB: it can end any statement by itself (`max_statement_time`), MySQL no more than a SELECT.
    pub is_mariadb: bool,
    /// What the server was last told about the time left.
    told: Duration,
    /// Whether a statement was stopped and nobody heard how it ended: then the connection answers nothing more in time.
    unheard: bool,
}

impl<'a> Session<'a> {
    /// Connects.
    pub async fn open(
        login: &'a Login,
        caller: &str,
        deadline: Deadline,
        lock_timeout: Duration,
    ) -> Result<Self, Halt> {
        let mut connection = mysql::open(login, deadline.left_for_questions()).await?;
        // A server may have another default for autocommit, and each of our records is to be one transaction.
        const SQL: &str = "SELECT CAST(CONNECTION_ID() AS SIGNED), DATABASE(), VERSION(), \
             CAST(@@SESSION.sql_mode AS CHAR), CAST(@@max_allowed_packet AS SIGNED)";
        let asked = async {
            sqlx::raw_sql("SET SESSION autocommit = 1").execute(&mut connection).await?;
            sqlx::query_as(SQL).fetch_one(&mut connection).await
        };
        let asked: Result<(i64, String, String, String, i64), sqlx::Error> = asked.await;
        let (id, database, version, sql_mode, at_once) =
            asked.map_err(|error| halt("the server", &login.place(), error))?;
        Ok(Self {
            connection,
            place: login.place(),
            deadline,
            lock_name: lock::name_for(&database),
            server: Server {
                database: login.database.clone(),
                sql_mode,
                at_once: u64::try_from(at_once).unwrap_or(u64::MAX),
            },
            file_sets_limits: false,
            marked: false,
            login,
            caller: caller.to_owned(),
            lock_timeout,
            id,
            is_mariadb: version.to_ascii_lowercase().contains("mariadb"),
            told: Duration::ZERO,
            unheard: false,
        })
    }

    /// Says goodbye, so that the server frees the lock now and not when it notices.
    pub async fn close(self) {
        if self.unheard || timeout(GOODBYE, self.connection.close()).await.is_err() {
            tracing::debug!("the database did not answer our goodbye");
        }
    }

    /// A session as if newly connected, with our limits: nothing of one file leaks into the next. Holding the lock.
    ///
    /// There is no statement that resets a session, and the command of the protocol that does (`COM_RESET_CONNECTION`) would
    /// free the lock, too. So a file that has left its mark costs a new connection. In between another migrator may take
    /// the lock: then it is its turn, and the next attempt goes on from the ledger.
    pub async fn start_over(&mut self) -> Result<(), Halt> {
        if self.marked {
            lock::release(self).await;
            let again = Self::open(self.login, &self.caller, self.deadline, self.lock_timeout).await?;
            std::mem::replace(self, again).close().await;
            if let Some(why) = self.why_read_only().await? {
                return Err(Halt::not_yet(
                    format!("{} became {why} meanwhile", self.place),
                    super::fault::jittered(Duration::from_secs(2)),
                    "Wait for the failover, then redeploy.",
                ));
            }
            lock::take(self).await?;
        }
        self.limit().await.map_err(|error| halt("the session's settings", &self.place, error))?;
        lock::verify(self).await
    }

    /// Runs SQL of our own as it stands, without parameters.
    pub async fn run(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        self.heard()?;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection).await?;
        Ok(())
    }

    /// Runs a statement of a migration, with our name before it. The rows it touched. At our deadline it is stopped: nothing
    /// goes on once we have answered.
    pub async fn run_statement(&mut self, text: &str) -> Result<u64, sqlx::Error> {
        self.heard()?;
        let (left, login, id) = (self.left(), self.login, self.id);
        let sql = lock::mark(&self.caller) + text;
        let mut running = pin!(sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection));
        if let Ok(ended) = timeout(left, &mut running).await {
            return Ok(ended?.rows_affected());
        }
        let told = timeout(STOP, stop(login, id)).await.is_ok_and(|told| told);
        match timeout(HEED, running).await {
            Ok(ended) => Ok(ended?.rows_affected()),
            Err(_) => {
                self.unheard = true;
                let words = if told {
                    "the statement was stopped at our deadline, and the server is still undoing it"
                } else {
                    "the statement could not be stopped at our deadline, and the server is still at it"
                };
                Err(io::Error::new(io::ErrorKind::TimedOut, words).into())
            }
        }
    }

    /// An error where the connection answers nothing more.
    pub fn heard(&self) -> Result<(), sqlx::Error> {
        if self.unheard { Err(io::Error::from(io::ErrorKind::TimedOut).into()) } else { Ok(()) }
    }

    /// Tells the server how long a statement may run and wait, if that changed by more than a second.
    pub async fn keep_limits(&mut self) -> Result<(), sqlx::Error> {
        let shrank = self.left() + Duration::from_secs(1) < self.told;
        if shrank && !self.file_sets_limits { self.limit().await } else { Ok(()) }
    }

    /// The server's own limits are there for the case that the function is killed before it can stop a statement.
    async fn limit(&mut self) -> Result<(), sqlx::Error> {
        let left = self.left();
        // Whole seconds, and MySQL takes no zero. The first is for a table's definition, the second for its rows.
        let wait = self.lock_timeout.min(left).as_millis().div_ceil(1000).max(1);
        let mut sql = format!("SET SESSION lock_wait_timeout = {wait}, innodb_lock_wait_timeout = {wait}");
        if self.is_mariadb {
            sql.push_str(&format!(", max_statement_time = {}", left.as_secs() + 1));
        }
        self.run(&sql).await?;
        self.told = left;
        Ok(())
    }

    /// What a statement may still take.
    fn left(&self) -> Duration {
        self.deadline.left_for_questions().saturating_sub(STOP + HEED)
    }

    /// Why this server takes no writes; `None` when it does.
    pub async fn why_read_only(&mut self) -> Result<Option<&'static str>, Halt> {
        let why = mysql::why_read_only(&mut self.connection).await;
        why.map_err(|error| halt("the writer", &self.place, error))
    }
}

/// Stops what this session runs, and leaves the session alone. Whether the server was told.
async fn stop(login: &Login, id: i64) -> bool {
    let Ok(mut other) = mysql::open(login, STOP).await else { return false };
    sqlx::raw_sql(AssertSqlSafe(format!("KILL QUERY {id}"))).execute(&mut other).await.is_ok()
}
